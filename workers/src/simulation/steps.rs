//! The definitions of the simulation, and what their steps come to.

use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use serde_json::json;
use trunkline_store::jobs::LeasedJob;
use trunkline_store::waits::Resume;
use trunkline_workflow::outcome::{Awaited, AwaitedEvent, Wait};
use trunkline_workflow::step::StepType;
use trunkline_workflow::{Graph, Outcome, route};

use crate::steps::{Activity, resume, retry_or_fail};

/// One after the other, side by side, bodies, loops, retries: what the engine has.
pub(super) fn definitions() -> Vec<Arc<Graph>> {
    let call =
        |id: &str, next: Option<&str>| json!({"id": id, "stepType": "HttpRequest", "nextStepId": next});
    let wait = |id: &str, next: Option<&str>| json!({"id": id, "stepType": "Wait", "nextStepId": next});
    let reply =
        |id: &str, next: Option<&str>| json!({"id": id, "stepType": "WaitForReply", "nextStepId": next});
    let mut tried = call("tried", None);
    tried["retry"] = json!({"maxAttempts": 3, "initialInterval": "00:00:01"});
    let definitions = [
        json!([call("a", Some("b")), wait("b", Some("c")), call("c", Some("d")), call("d", None)]),
        json!([reply("a", Some("b")), call("b", Some("c")), reply("c", None)]),
        json!([
            {"id": "fork", "stepType": "Branch",
                "selectNextStep": {"a": "{{1}}", "b": "{{1}}", "c": "{{1}}", "d": null}},
            call("a", Some("d")), wait("b", Some("d")), reply("c", Some("d")), call("d", None)
        ]),
        json!([
            {"id": "if", "stepType": "If", "nextStepId": "after", "do": [
                [call("x", Some("y")), wait("y", None)],
                [reply("z", None)],
                [{"id": "inner", "stepType": "If", "do": [[call("deep", None)], [wait("long", None)]]}],
            ]},
            call("after", None)
        ]),
        json!([
            call("a", Some("again")),
            {"id": "again", "stepType": "Branch", "selectNextStep": {"a": "{{1}}", "tried": null}},
            tried
        ]),
    ];
    definitions.iter().map(|steps| Arc::new(Graph::new(steps))).collect()
}

/// What came of an attempt, and whether it did something outside.
pub(super) fn outcome(graph: &Graph, job: &LeasedJob, random: &mut StdRng) -> Outcome {
    let step = &graph.steps[job.path.step];
    let resumed = job.resume.as_deref().map(|text| Resume::parse(text).expect("we wrote it"));
    let activity = match resumed {
        None | Some(Resume::Interrupted) => act(step.step_type, job, random),
        Some(resumed) => resume(step.step_type, &resumed),
    };
    let timed_out = matches!(activity, Activity::TimedOut(_));
    match activity {
        Activity::EnterBodies => Outcome::EnterBodies,
        Activity::Wait { wait, due_after } => Outcome::Waiting { wait, due_after },
        Activity::Postponed { after, message } => Outcome::Postponed { after, message },
        Activity::Failed { message } => Outcome::Failed { message, result: None },
        Activity::Retry { after, message } => match step.retry.as_ref() {
            Some(policy) => match policy.pause(job.path.attempt) {
                Some(after) => Outcome::Retry { after, message },
                None => Outcome::Failed { message, result: None },
            },
            // How long it pauses is chance; here a seed decides.
            None => match retry_or_fail(job.path.attempt, after, message) {
                Outcome::Retry { message, .. } => {
                    Outcome::Retry { after: Duration::from_millis(random.random_range(250..3_000)), message }
                }
                other => other,
            },
        },
        _ => {
            let truths: Vec<bool> =
                route::conditions(&step.routes).map(|_| random.random_bool(0.6)).collect();
            let next = route::select(&step.routes, &truths);
            Outcome::Completed { result: None, data: None, timed_out, next }
        }
    }
}

fn act(step_type: StepType, job: &LeasedJob, random: &mut StdRng) -> Activity {
    match step_type {
        StepType::Wait => {
            let due_after = Duration::from_millis(random.random_range(0..4_000));
            Activity::Wait { wait: Wait::Timer, due_after }
        }
        StepType::WaitForReply => {
            let awaited = Awaited { event: AwaitedEvent::Reply, key: key_of(job) };
            let due_after = Duration::from_millis(random.random_range(500..10_000));
            Activity::Wait { wait: Wait::Event(awaited), due_after }
        }
        StepType::If if random.random_bool(0.8) => Activity::EnterBodies,
        StepType::HttpRequest => match random.random_range(0..100) {
            0..12 => Activity::Retry { after: None, message: "Connection refused".to_owned() },
            12..15 => {
                Activity::Postponed { after: Duration::from_millis(500), message: "no evaluator".to_owned() }
            }
            15..17 => Activity::Failed { message: "no".to_owned() },
            _ => Activity::Done(json!({})),
        },
        _ => Activity::Done(json!({})),
    }
}

pub(super) fn key_of(job: &LeasedJob) -> String {
    format!("reply {}", job.instance)
}
