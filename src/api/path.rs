//! Ids in paths, and paths that we give out.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use trunkline_store::dispatches;
use trunkline_workflow::{AccountId, DefinitionId, InstanceId};
use utoipa::IntoParams;
use uuid::Uuid;

use super::error::ApiError;

/// What RFC 3986 calls unreserved stays as it is.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct DefinitionPath {
    /// UUID of the definition.
    #[param(rename = "definitionId", value_type = Uuid)]
    pub definition: DefinitionId,
}

impl DefinitionPath {
    /// For who would change or start it: not those that workflows of the Workflows API are instances of.
    pub fn of_customers(&self) -> Result<DefinitionId, ApiError> {
        if dispatches::is_own(self.definition) {
            return Err(ApiError::OwnDefinition(self.definition));
        }
        Ok(self.definition)
    }
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct InstancePath {
    /// UUID of the definition.
    #[param(rename = "definitionId", value_type = Uuid)]
    pub definition: DefinitionId,
    /// The instance: 24 hexadecimal digits.
    #[param(rename = "workflowId", value_type = String, pattern = "^[0-9a-f]{24}$")]
    pub instance: InstanceId,
}

/// An instance of any definition.
#[derive(IntoParams)]
#[into_params(names("instanceId"), parameter_in = Path)]
pub struct InstanceOfAccount(
    /// The instance: 24 hexadecimal digits.
    #[param(value_type = String, pattern = "^[0-9a-f]{24}$")]
    pub InstanceId,
);

impl<S: Send + Sync> FromRequestParts<S> for InstanceOfAccount {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let params = params(parts, state).await?;
        let instance = find(&params, "instanceId").and_then(|text| text.parse().ok());
        instance.map(Self).ok_or(ApiError::InvalidParameter("instance id"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for DefinitionPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let params = params(parts, state).await?;
        Ok(Self { definition: definition_id(&params)? })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for InstancePath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let params = params(parts, state).await?;
        let definition = definition_id(&params)?;
        let instance = find(&params, "workflowId").and_then(|text| text.parse().ok());
        Ok(Self { definition, instance: instance.ok_or(ApiError::InvalidParameter("workflow id"))? })
    }
}

async fn params<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<RawPathParams, ApiError> {
    RawPathParams::from_request_parts(parts, state).await.map_err(|_| ApiError::InvalidParameter("path"))
}

/// A path parameter, decoded.
pub(super) fn find<'a>(params: &'a RawPathParams, name: &str) -> Option<&'a str> {
    params.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn definition_id(params: &RawPathParams) -> Result<DefinitionId, ApiError> {
    find(params, "definitionId")
        .and_then(parse_definition_id)
        .ok_or(ApiError::InvalidParameter("definition id"))
}

/// With or without hyphens, in any letter case; the library's other spellings are none of the API's.
pub(super) fn parse_definition_id(text: &str) -> Option<DefinitionId> {
    if matches!(text.len(), 32 | 36) { Uuid::try_parse(text).ok() } else { None }
}

pub(super) fn of_definition(account: &AccountId, definition: DefinitionId) -> String {
    let account = utf8_percent_encode(account.as_str(), IN_PATH);
    format!("/api/v1/accounts/{account}/definitions/{definition}")
}

pub(super) fn of_instance(account: &AccountId, definition: DefinitionId, instance: InstanceId) -> String {
    format!("{}/workflows/{instance}", of_definition(account, definition))
}

pub(super) fn of_batch(account: &AccountId, batch: Uuid) -> String {
    let account = utf8_percent_encode(account.as_str(), IN_PATH);
    format!("/api/v1/accounts/{account}/batches/{batch}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_id_has_two_spellings() {
        let id = Uuid::from_u128(0x0b9f_3a52_6a0e_4c55_9a0a_3c1d_2f6e_7b10);
        for text in ["0b9f3a52-6a0e-4c55-9a0a-3c1d2f6e7b10", "0B9F3A526A0E4C559A0A3C1D2F6E7B10"] {
            assert_eq!(parse_definition_id(text), Some(id));
        }
        for text in
            ["", "not-a-uuid", "{0b9f3a52-6a0e-4c55-9a0a-3c1d2f6e7b10}", &"ä".repeat(16), &"g".repeat(32)]
        {
            assert_eq!(parse_definition_id(text), None, "{text}");
        }
    }

    #[test]
    fn paths_that_we_give_out_are_encoded() {
        assert_eq!(
            of_definition(&AccountId::new("a c/m?e_8-x.y"), Uuid::nil()),
            "/api/v1/accounts/a%20c%2Fm%3Fe_8-x.y/definitions/00000000-0000-0000-0000-000000000000"
        );
    }
}
