//! `SendToConverse` (spec 3.5.10): hands the conversation to people, through an endpoint of the operator's.

use serde_json::json;
use trunkline_connectors::converse::send_to_converse;
use trunkline_workflow::inputs;

use super::{Activity, Input, no_connector, not_sent};
use crate::connectors::NoConnector;
use crate::measure::Provider;
use crate::tools::ConnectorUse;

pub(super) async fn execute(input: Input<'_>) -> Activity {
    let members = input.members();
    // A text with a NUL names nothing that could be configured.
    let subaccount = input.subaccount(&members).filter(|id| !id.contains('\0'));
    let account = &input.job.account;
    let found = match input.tools.connectors {
        ConnectorUse::First => input.connectors.converse(account, subaccount.as_deref(), input.lease).await,
        ConnectorUse::Ignored => Err(NoConnector::None),
    };
    let converse = match found {
        Ok(converse) => converse,
        Err(problem) => return no_connector(problem, input.job, "Send to Converse"),
    };
    let body = json!({
        "accountId": account,
        "subAccountId": subaccount,
        "workflowId": input.job.instance.to_string(),
        "payload": inputs::get(&members, "payload"),
    });
    let authorization = converse.authorization.as_deref();
    if let Some(recorder) = input.recorder {
        recorder.hide_target("Converse", &converse.url);
    }
    let client = &input.client(Provider::Converse);
    if let Err(activity) = input.leave(None).await {
        return activity;
    }
    if let Err(activity) = input.begin_effect().await {
        return activity;
    }
    match send_to_converse(client, &converse.url, authorization, &body, input.key()).await {
        Ok(result) => Activity::Done(result),
        Err(failure) => not_sent(failure),
    }
}
