//! `ChatAppsMessage` (spec 3.5.2).

use trunkline_connectors::eight_by_eight::send_chat_apps_message;

use super::{Activity, Input, NO_PROVIDER, not_sent};

pub(super) async fn execute(input: Input<'_>) -> Activity {
    let Some(messaging) = &input.tools.messaging else {
        return Activity::Failed { message: NO_PROVIDER.to_owned() };
    };
    let key = input.job.id().as_uuid();
    match send_chat_apps_message(&input.tools.providers, messaging, &input.members(), key).await {
        Ok(result) => Activity::Done(result),
        Err(failure) => not_sent(failure),
    }
}
