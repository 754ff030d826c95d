//! Who calls, by the one credential in the one `Authorization` header (Workflows API 3).

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use trunkline_store::nexmo_accounts::Standing;

use super::basic::Shown;
use super::caller::Caller;
use super::jwt::Token;
use super::problem::Problem;
use crate::api::state::ApiState;

const BASIC: &str = "basic";
const BEARER: &str = "bearer";

#[derive(Debug, PartialEq, Eq)]
enum Credential<'a> {
    Basic(&'a str),
    Bearer(&'a str),
}

pub(super) async fn authenticate(parts: &Parts, state: &ApiState) -> Result<Caller, Problem> {
    match credential(&parts.headers)? {
        Credential::Basic(pair) => by_secret(pair, state).await,
        Credential::Bearer(token) => by_token(token, parts.uri.path(), state).await,
    }
}

/// The header's scheme, of any letter case, and what is behind it.
fn credential(headers: &HeaderMap) -> Result<Credential<'_>, Problem> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Problem::Unauthorized)?;
    if values.next().is_some() {
        return Err(Problem::MultipleAuthMethods);
    }
    let value = value.to_str().map_err(|_| Problem::Unauthorized)?.trim();
    let words = value.split([' ', '\t', ',']);
    let is_scheme = |word: &&str| word.eq_ignore_ascii_case(BASIC) || word.eq_ignore_ascii_case(BEARER);
    if words.filter(is_scheme).count() > 1 {
        return Err(Problem::MultipleAuthMethods);
    }
    let (scheme, credential) = value.split_once([' ', '\t']).ok_or(Problem::Unauthorized)?;
    let credential = credential.trim_start();
    match scheme.to_ascii_lowercase().as_str() {
        BASIC => Ok(Credential::Basic(credential)),
        BEARER => Ok(Credential::Bearer(credential)),
        _ => Err(Problem::Unauthorized),
    }
}

async fn by_secret(pair: &str, state: &ApiState) -> Result<Caller, Problem> {
    let shown = Shown::read(pair).ok_or(Problem::Unauthorized)?;
    let holder = state.callers().holder_of(&state.store, &shown.api_key).await?;
    let holder = holder.filter(|holder| shown.is_one_of(&holder.secrets)).ok_or(Problem::Unauthorized)?;
    if holder.standing == Standing::Suspended {
        return Err(Problem::AccountSuspended);
    }
    Ok(Caller { account: holder.account.clone(), api_key: shown.api_key, application: None })
}

async fn by_token(token: &str, path: &str, state: &ApiState) -> Result<Caller, Problem> {
    let token = Token::read(token).ok_or(Problem::Unauthorized)?;
    let id = token.application();
    let application = state.callers().application(&state.store, id).await?;
    let application =
        application.filter(|known| token.is_signed_by(&known.verifier)).ok_or(Problem::Unauthorized)?;
    token.check_times((state.clock)().timestamp())?;
    let key = &application.key;
    if key.account_standing == Standing::Suspended {
        return Err(Problem::AccountSuspended);
    }
    if key.standing == Standing::Suspended {
        return Err(Problem::ApplicationSuspended);
    }
    if !token.covers(path) {
        return Err(Problem::Forbidden);
    }
    Ok(Caller { account: key.account.clone(), api_key: key.api_key.clone(), application: Some(id) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_header_has_one_credential() {
        let read = |values: &[&str]| {
            let headers: HeaderMap =
                values.iter().map(|value| (AUTHORIZATION, value.parse().unwrap())).collect();
            match credential(&headers) {
                Ok(Credential::Basic(text)) => format!("basic {text}"),
                Ok(Credential::Bearer(text)) => format!("bearer {text}"),
                Err(Problem::MultipleAuthMethods) => "multiple".to_owned(),
                Err(_) => "none".to_owned(),
            }
        };
        for (values, found) in [
            (&["Basic YTpi"][..], "basic YTpi"),
            (&["bASIC  YTpi "], "basic YTpi"),
            (&["BEARER a.b.c"], "bearer a.b.c"),
            (&["Basic\tYTpi"], "basic YTpi"),
            (&[], "none"),
            (&["Basic"], "none"),
            (&["Basic "], "none"),
            (&["YTpi"], "none"),
            (&["Digest YTpi"], "none"),
            (&["Basic YTpi", "Bearer a.b.c"], "multiple"),
            (&["Basic YTpi", "Basic YTpi"], "multiple"),
            (&["Basic YTpi, Bearer a.b.c"], "multiple"),
            (&["Bearer a.b.c,basic YTpi"], "multiple"),
            (&["Basic YTpi Bearer a.b.c"], "multiple"),
        ] {
            assert_eq!(read(values), found, "{values:?}");
        }
    }
}
