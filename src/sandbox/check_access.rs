//! Who calls the platform, and for which subaccount.

use axum::http::{HeaderMap, StatusCode, header};
use chrono::{DateTime, Utc};

use super::refusal::{Invalid, Refusal};

/// The messaging APIs' refusal of a caller without a key, or for a subaccount that cannot be.
pub(super) fn check_access(
    sub_account_id: &str,
    headers: &HeaderMap,
    now: DateTime<Utc>,
) -> Result<(), Refusal> {
    if !has_api_key(headers) {
        let message = "Request was not authenticated properly";
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, 1200, message, now));
    }
    if !is_sub_account_id(sub_account_id) {
        return Err(Invalid::new(1001, "Provided subAccountId doesn't belongs to your account").at(now));
    }
    Ok(())
}

/// Every key that is not empty is good.
pub(super) fn has_api_key(headers: &HeaderMap) -> bool {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let key = authorization.and_then(|value| value.split_once(' '));
    key.is_some_and(|(scheme, key)| scheme.eq_ignore_ascii_case("bearer") && !key.trim().is_empty())
}

pub(super) fn is_sub_account_id(text: &str) -> bool {
    (3..=50).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._&".contains(&byte))
}

/// The `Idempotency-Key`, if there is one.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Option<String> {
    let key = headers.get("idempotency-key")?.to_str().ok()?;
    (!key.is_empty()).then(|| key.to_owned())
}
