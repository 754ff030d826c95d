//! `ReportOutcome`: the workflow's end, written down and told once however often the step is done (Dispatch 9.3).

use serde_json::json;
use trunkline_store::clock;
use trunkline_workflow::dispatch::Outcome;
use trunkline_workflow::inputs;

use super::{Activity, Input};

pub(super) async fn execute(input: Input<'_>) -> Activity {
    let members = input.members();
    let is_met = inputs::get(&members, "isMet").is_some_and(|is_met| is_met == true);
    let outcome = if is_met { Outcome::Completed } else { Outcome::Error };
    let at = clock::now();
    let (job, fee) = (input.job, input.tools.rules.workflow_fee);
    let ended = input.insist(|| input.store.end_dispatch(&job.account, job.instance, outcome, fee, at)).await;
    match ended {
        Ok(()) => Activity::Done(json!({ "status": outcome })),
        Err(activity) => activity,
    }
}
