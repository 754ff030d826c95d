//! `connector test`: what the platform says to the key.

use std::process::ExitCode;

use trunkline_connectors::eight_by_eight::{Access, EightByEightSettings, check_access};
use trunkline_connectors::outbound::{AddressPolicy, OutboundClient};
use trunkline_store::StoreError;
use trunkline_store::connectors::ConnectorKind;
use trunkline_workflow::AccountId;

use crate::cli::error::CliError;
use crate::cli::reach_database::reach;
use crate::cli::settings::SealingStoreSettings;

const KIND: ConnectorKind = ConnectorKind::EightByEight;

/// A line per product.
pub(super) async fn check_connector(
    account: &AccountId,
    subaccount: String,
    store: &SealingStoreSettings,
) -> Result<ExitCode, CliError> {
    let store = store.open()?;
    reach(&store).await?;
    let connector = store.find_connector(account, KIND, Some(&subaccount)).await?;
    let missing = || CliError::NoConnector {
        account: account.to_string(),
        kind: KIND.as_str(),
        subaccount: Some(subaccount.clone()),
    };
    let connector = connector.ok_or_else(missing)?;
    let settings: EightByEightSettings = serde_json::from_value(connector.settings)
        .map_err(|error| StoreError::Damaged(format!("connectors.settings: {error}")))?;
    let platform = settings.resolve(connector.secret.ok_or_else(missing)?);
    // The operator chose the target.
    let client = OutboundClient::new(AddressPolicy { allow_private: true, allowed: Vec::new() });
    let answers = check_access(&client, &platform, &subaccount).await;
    for (product, access) in &answers {
        println!("{product}: {access}");
    }
    let is_refusal =
        |access: &Access| matches!(access, Access::Refused { .. } | Access::UnknownSubAccount { .. });
    let refused = answers.iter().any(|(_, access)| is_refusal(access));
    let works = answers.iter().any(|(_, access)| *access == Access::Works);
    Ok(if works && !refused { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
