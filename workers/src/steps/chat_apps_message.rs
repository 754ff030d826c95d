//! `ChatAppsMessage` (spec 3.5.2).

use serde_json::{Map, Value};
use trunkline_connectors::eight_by_eight::send_chat_apps_message;
use trunkline_workflow::inputs;
use trunkline_workflow::limits::Channel;

use super::{Activity, Input, named_subaccount, not_sent, sent_message, text};
use crate::measure::Provider;

pub(super) async fn execute(input: Input<'_>) -> Activity {
    let members = input.members();
    let provider = match input.eight_by_eight(named_subaccount(&members).as_deref()).await {
        Ok(provider) => provider,
        Err(activity) => return activity,
    };
    let senders = [named_subaccount(&members), None];
    if let Err(activity) = input.leave_to_send(Channel::Chat, senders, recipient(&members)).await {
        return activity;
    }
    if let Err(activity) = input.begin_effect().await {
        return activity;
    }
    let client = input.client(Provider::EightByEight);
    match send_chat_apps_message(&client, &provider, &members, input.key()).await {
        Ok(result) => {
            // The platform chooses the channel; receipts name it.
            let sent = sent_message(&input, &result, "ChatApps", None);
            Activity::Sent { result, sent }
        }
        Err(failure) => not_sent(failure),
    }
}

/// By the number, if it is known, so that it is one person on every channel.
fn recipient(members: &Map<String, Value>) -> Option<String> {
    let user = inputs::get(members, "user")?.as_object()?;
    ["msisdn", "channelUserId", "lineUserId"].into_iter().find_map(|name| text(user, name))
}
