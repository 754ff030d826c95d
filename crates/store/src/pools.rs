//! Pools: which jobs a worker takes.

use trunkline_workflow::AccountId;

/// The accounts whose jobs a worker takes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Accounts {
    #[default]
    All,
    Only(Vec<AccountId>),
    Except(Vec<AccountId>),
}

impl Accounts {
    /// As the row of the worker has them: those that it serves, and those that it does not.
    pub(crate) fn columns(&self) -> (Option<Vec<&str>>, Option<Vec<&str>>) {
        match self {
            Self::All => (None, None),
            Self::Only(accounts) => (Some(accounts.iter().map(AccountId::as_str).collect()), None),
            Self::Except(accounts) => (None, Some(accounts.iter().map(AccountId::as_str).collect())),
        }
    }
}
