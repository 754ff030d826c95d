//! Applications on the screen.

use trunkline_store::StoreError;
use trunkline_store::applications::Application;

use crate::api::nexmo::public_key::PublicKey;
use crate::cli::error::CliError;

/// All there is to know of one.
pub(super) fn describe(application: &Application) -> Result<String, CliError> {
    let Application { id, account, name, public_key, urls, standing, created_at, key_changed_at } =
        application;
    let key = PublicKey::parse(public_key)
        .map_err(|error| StoreError::Damaged(format!("the key of application {id}: {error}")))?;
    let url = |url: &Option<String>| url.clone().unwrap_or_else(|| "the account's".to_owned());
    Ok(format!(
        "Application     {id}\n\
         Name            {name}\n\
         Account         {account}\n\
         Standing        {standing}\n\
         Status URL      {status}\n\
         Inbound URL     {inbound}\n\
         Created         {created}\n\
         Key             RSA, {bits} bits, of {changed}\n\
         {public_key}",
        standing = if standing.is_suspended() { "suspended" } else { "active" },
        status = url(&urls.status),
        inbound = url(&urls.inbound),
        created = created_at.format("%F %T UTC"),
        bits = key.bits(),
        changed = key_changed_at.format("%F %T UTC"),
    ))
}

/// The most important of it.
pub(super) fn row(application: &Application) -> [String; 5] {
    [
        application.id.to_string(),
        application.name.clone(),
        if application.standing.is_suspended() { "suspended" } else { "active" }.to_owned(),
        application.created_at.format("%F %T UTC").to_string(),
        application.urls.status.clone().unwrap_or_else(|| "-".to_owned()),
    ]
}
