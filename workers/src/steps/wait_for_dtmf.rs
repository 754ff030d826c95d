//! `WaitForDTMF` (spec 3.5.9): parked until keys are pressed in a call, which is named by the client's id or
//! the provider's.

use std::time::Duration;

use trunkline_connectors::correlation::dtmf_key;
use trunkline_workflow::outcome::AwaitedEvent;

use super::{Activity, Input, text};
use crate::await_event::await_event;

pub(super) const OUTPUT: &str = "dtmfData";
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(86_400);

pub(super) fn execute(input: &Input<'_>) -> Activity {
    let members = input.members();
    // X8: both names occur, the first one wins.
    let Some(id) = text(&members, "dtmfRequestId").or_else(|| text(&members, "correlationId")) else {
        return Activity::Failed { message: "dtmfRequestId is required.".to_owned() };
    };
    let awaited = (AwaitedEvent::Dtmf, dtmf_key(id.trim()));
    await_event(input, &members, DEFAULT_TIMEOUT, awaited, ("dtmfRequestId", OUTPUT))
}
