//! The subaccount that sends: part of every path.

use serde_json::{Map, Value};

use super::config::EightByEight;
use super::product::Product;
use super::request_fields::write_as_text;
use crate::send_failure::SendFailure;

pub(super) const SUB_ACCOUNT_ID: &str = "subAccountId";

/// Takes the subaccount out of the fields of a request.
pub(super) fn take_sub_account(
    fields: &mut Map<String, Value>,
    fallback: Option<&str>,
) -> Result<String, SendFailure> {
    write_as_text(fields, &[SUB_ACCOUNT_ID]);
    let given = match fields.shift_remove(SUB_ACCOUNT_ID) {
        Some(Value::String(id)) if !id.trim().is_empty() => Some(id),
        None | Some(Value::Null | Value::String(_)) => fallback.map(str::to_owned),
        Some(_) => None,
    };
    given
        .map(|id| id.trim().to_owned())
        .filter(|id| is_sub_account_id(id))
        .ok_or_else(|| SendFailure::failed("Invalid subaccount id."))
}

/// `{host}/api/v1/subaccounts/{id}/{resource}`
pub(super) fn sub_account_url(
    config: &EightByEight,
    product: Product,
    sub_account_id: &str,
    resource: &str,
) -> String {
    format!("{}{}", product.base_url(config), sub_account_path(sub_account_id, resource))
}

/// `/api/v1/subaccounts/{id}/{resource}`
pub(super) fn sub_account_path(sub_account_id: &str, resource: &str) -> String {
    // Of the characters that a subaccount id may have, this is the only one to be encoded.
    let id = sub_account_id.replace('&', "%26");
    format!("/api/v1/subaccounts/{id}/{resource}")
}

/// `^[A-Za-z0-9\-._&]{3,50}$` (spec 8.1)
pub(crate) fn is_sub_account_id(id: &str) -> bool {
    (3..=50).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._&".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::is_sub_account_id;

    #[test]
    fn a_sub_account_id_has_3_to_50_characters_of_its_alphabet() {
        for id in ["abc", "a-b._&", &"x".repeat(50)] {
            assert!(is_sub_account_id(id), "{id}");
        }
        for id in ["", "ab", "a/b", "a b", "abc?", "../..", "a%2f", "äöü", &"x".repeat(51)] {
            assert!(!is_sub_account_id(id), "{id}");
        }
    }
}
