//! A definition that is saved already.

use serde_json::Value;
use uuid::Uuid;

use crate::cli::error::CliError;
use crate::cli::settings::AccountApi;

/// The server's own limit.
const LARGEST_PAGE: usize = 500;

/// The only one of the name in this file, if there is one.
pub(super) async fn find_by_name(api: &AccountApi, file: &Value) -> Result<Option<Uuid>, CliError> {
    let Some(name) = file["definition"]["name"].as_str() else { return Ok(None) };
    let mut found: Vec<Uuid> = Vec::new();
    for page in 0.. {
        let path = format!("/definitions?limit={LARGEST_PAGE}&offset={}", page * LARGEST_PAGE);
        let answer = api.server.get(&api.path(&path)).await?;
        let definitions = answer.as_array().map(Vec::as_slice).unwrap_or_default();
        let named = definitions.iter().filter(|one| one["definition"]["name"] == name);
        found.extend(named.filter_map(|one| one["id"].as_str()?.parse::<Uuid>().ok()));
        if definitions.len() < LARGEST_PAGE {
            break;
        }
    }
    match found[..] {
        [] => Ok(None),
        [id] => Ok(Some(id)),
        _ => Err(CliError::SeveralDefinitions { name: name.to_owned() }),
    }
}

/// Its newest version.
pub(super) async fn newest(api: &AccountApi, id: Uuid) -> Result<Value, CliError> {
    let mut versions = api.server.get(&api.path(&format!("/definitions/{id}?limit=1"))).await?;
    let newest = versions.get_mut(0).map(Value::take);
    newest.ok_or(CliError::NoDefinition(id))
}
