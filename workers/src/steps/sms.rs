//! `SMS` (spec 3.5.1).

use trunkline_connectors::eight_by_eight::send_sms;
use trunkline_workflow::limits::Channel;

use super::{Activity, Input, named_subaccount, not_sent, sent_message, text};
use crate::measure::Provider;

pub(super) async fn execute(input: Input<'_>) -> Activity {
    let members = input.members();
    let provider = match input.eight_by_eight(named_subaccount(&members).as_deref()).await {
        Ok(provider) => provider,
        Err(activity) => return activity,
    };
    let senders = [named_subaccount(&members), text(&members, "source")];
    if let Err(activity) = input.leave_to_send(Channel::Sms, senders, text(&members, "destination")).await {
        return activity;
    }
    if let Err(activity) = input.begin_effect().await {
        return activity;
    }
    match send_sms(&input.client(Provider::EightByEight), &provider, &members, input.key()).await {
        Ok(result) => {
            let sent = sent_message(&input, &result, "SMS", Some("sms"));
            Activity::Sent { result, sent }
        }
        Err(failure) => not_sent(failure),
    }
}
