//! `Failover`, an extension: starts a workflow of the Workflows API, and waits for its end.

use std::time::Duration;

use serde_json::{Value, json};
use trunkline_connectors::correlation::receipt_key;
use trunkline_store::clock;
use trunkline_store::dispatches::{NewDispatch, Parent};
use trunkline_store::waits::Resume;
use trunkline_workflow::dispatch::{self, Dispatch, Flavour, Link, RequestError};
use trunkline_workflow::inputs;
use trunkline_workflow::outcome::{Awaited, AwaitedEvent, Wait};

use super::{Activity, Input, input_required};

/// After the last message's own time (U9) the workflow has ended; nothing but a workflow that was suspended lasts
/// longer, and is waited for so much longer.
const GRACE: Duration = Duration::from_secs(7 * 86_400);

pub(super) async fn execute(input: Input<'_>) -> Activity {
    let members = input.members();
    let Some(workflow) = inputs::get(&members, "workflow") else {
        return input_required(input.step, "workflow");
    };
    let request = match dispatch::parse_workflow(workflow.clone(), input.tools.rules.dispatch) {
        Ok(request) => request,
        Err(error) => return Activity::Failed { message: refusal(&input.step.id, &error) },
    };
    let due_after = longest(&request) + GRACE;
    // The step has one workflow, however often it is begun.
    let id = input.key();
    let key = receipt_key(&id.to_string());
    let new = NewDispatch {
        link: Link { id, flavour: Flavour::Dispatch },
        account: input.job.account.clone(),
        application: None,
        request,
        parent: Some(Parent { instance: input.job.instance, key: key.clone() }),
        at: clock::now(),
    };
    if let Err(activity) = input.insist(|| input.store.start_dispatch(new.clone())).await {
        return activity;
    }
    let states = ["completed", "error", "cancelled"].map(str::to_owned).to_vec();
    Activity::Wait { wait: Wait::Event(Awaited { event: AwaitedEvent::Receipt { states }, key }), due_after }
}

/// The end as it was told; a workflow that nobody heard of again is still running.
pub(super) fn resume(resume: &Resume) -> Activity {
    let end = match resume {
        Resume::Event(event) => serde_json::from_str::<Value>(event.get()).ok(),
        Resume::Due | Resume::BodiesEnded | Resume::Interrupted => None,
    };
    match end {
        Some(end) => Activity::Done(end),
        None => Activity::TimedOut(json!({"status": "running", "channel": null})),
    }
}

fn longest(request: &Dispatch) -> Duration {
    let expiries = request.messages.iter().filter_map(|message| message.failover);
    expiries.map(|failover| Duration::from_secs(failover.expiry.into())).sum()
}

/// Every problem with its place, as the Workflows API names it.
fn refusal(step: &str, error: &RequestError) -> String {
    let problems = match error {
        RequestError::InvalidParameters(problems) => problems,
        RequestError::InvalidJson(malformed) => {
            return format!("Step '{step}': input 'workflow' is not valid: {malformed}.");
        }
    };
    let shown: Vec<String> =
        problems.iter().map(|problem| format!("'{}' {}", problem.name, problem.reason)).collect();
    format!("Step '{step}': input {}.", shown.join("; "))
}
