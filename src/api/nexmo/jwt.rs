//! `Authorization: Bearer`: a token that an application signed with its private key.

use trunkline_connectors::messages_api::{ApplicationToken, TokenFault};
use trunkline_store::applications::ApplicationId;

use super::problem::Problem;
use super::public_key::Verifier;

pub(super) struct Token<'a>(ApplicationToken<'a>);

impl<'a> Token<'a> {
    /// `None`: it is no token of this kind.
    pub(super) fn read(token: &'a str) -> Option<Self> {
        ApplicationToken::read(token).map(Self)
    }

    pub(super) fn application(&self) -> ApplicationId {
        self.0.application()
    }

    pub(super) fn is_signed_by(&self, key: &Verifier) -> bool {
        self.0.signature().is_some_and(|signature| key.verify(self.0.signed(), &signature).is_ok())
    }

    /// `now` in seconds since 1970.
    pub(super) fn check_times(&self, now: i64) -> Result<(), Problem> {
        self.0.check_times(now).map_err(|fault| match fault {
            TokenFault::WrongTime => Problem::Unauthorized,
            TokenFault::Expired => Problem::JwtExpired,
        })
    }

    /// Whether the token allows this path.
    pub(super) fn covers(&self, path: &str) -> bool {
        self.0.covers(path)
    }
}

#[cfg(test)]
mod forgeries;
