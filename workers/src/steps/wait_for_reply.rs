//! `WaitForReply` (spec 3.5.7): parked under a correlation key until a message with it comes in.

use std::time::Duration;

use trunkline_connectors::correlation::reply_key;
use trunkline_workflow::outcome::AwaitedEvent;

use super::{Activity, Input, input_required, text};
use crate::await_event::await_event;

pub(super) const OUTPUT: &str = "reply";
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(86_400);

pub(super) fn execute(input: &Input<'_>) -> Activity {
    let members = input.members();
    let Some(from) = text(&members, "from") else { return input_required(input.step, "from") };
    let Some(channel) = text(&members, "channel") else { return input_required(input.step, "channel") };
    let awaited = (AwaitedEvent::Reply, reply_key(&channel, &from));
    await_event(input, &members, DEFAULT_TIMEOUT, awaited, ("from", OUTPUT))
}
