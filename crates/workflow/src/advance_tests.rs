//! Tables of decisions.

use serde_json::json;

use super::*;
use crate::route;

fn graph() -> Graph {
    Graph::new(&json!([
        {"id": "a", "stepType": "Branch", "selectNextStep": {"b": "{{1}}", "c": "{{1}}"}},
        {"id": "b", "stepType": "Branch", "selectNextStep": {"x": null}},
        {"id": "c", "stepType": "If", "nextStepId": "a", "do": [
            [{"id": "d", "stepType": "Branch", "selectNextStep": {"a": null}}],
            [{"id": "e", "stepType": "Wait", "inputs": {"duration": "1"}}],
        ]},
    ]))
}

fn path(path: i32, n: i32, step: StepIndex, scope: Option<i32>, place: Place) -> Path {
    let started_at = Some(DateTime::UNIX_EPOCH);
    Path { path, n, step, scope, place, attempt: 1, started_at }
}

fn completed(next: Vec<Landing>) -> Outcome {
    Outcome::Completed { result: None, data: None, timed_out: false, next }
}

fn new(path: i32, n: i32, step: StepIndex, scope: Option<i32>, queued: bool) -> NewPath {
    NewPath { path, n, step, scope, queued }
}

#[test]
fn a_single_route_goes_on_in_the_same_row() {
    let graph = graph();
    let next = vec![Landing { step: 1, leaves: 0 }];
    let done = advance(&graph, &View::alone(1), &path(1, 1, 0, None, Place::Active), completed(next));
    assert_eq!(done.then, Then::Continues(new(1, 2, 1, None, false)));
    assert!(done.alone && done.ended.is_none() && done.forked.is_empty());
    assert_eq!((done.issued, done.log.len(), done.log[0].status), (2, 1, StepStatus::Complete));
}

#[test]
fn c_132_no_route_and_no_sibling_completes_the_instance() {
    let graph = graph();
    let done = advance(&graph, &View::alone(4), &path(1, 4, 1, None, Place::Active), completed(vec![]));
    assert_eq!((done.then, done.ended), (Then::Ends, Some(InstanceStatus::Complete)));
}

#[test]
fn c_134_two_routes_make_two_paths_that_take_turns() {
    let graph = graph();
    let next = route::select(&graph.steps[0].routes, &[true, true]);
    let forked = advance(&graph, &View::alone(1), &path(1, 1, 0, None, Place::Active), completed(next));
    assert_eq!(forked.then, Then::Continues(new(1, 2, 1, None, false)));
    assert_eq!(forked.forked, [new(3, 3, 2, None, true)]);
    assert!(!forked.alone);

    let view = View { issued: 3, others: vec![path(3, 3, 2, None, Place::Queued)] };
    let next = vec![Landing { step: 0, leaves: 0 }];
    let second = advance(&graph, &view, &path(1, 2, 1, None, Place::Active), completed(next));
    assert_eq!(second.then, Then::Continues(new(1, 4, 0, None, true)), "the sibling's turn comes first");
    assert_eq!(second.woken, Some(3));

    let ends = advance(&graph, &view, &path(1, 2, 1, None, Place::Active), completed(vec![]));
    assert_eq!((ends.then, ends.woken, ends.alone, ends.ended), (Then::Ends, Some(3), true, None));
}

#[test]
fn c_144_the_instance_lives_while_a_sibling_is_parked() {
    let graph = graph();
    let view = View { issued: 3, others: vec![path(3, 3, 4, None, Place::Parked)] };
    let done = advance(&graph, &view, &path(1, 2, 1, None, Place::Active), completed(vec![]));
    assert_eq!((done.then, done.ended, done.alone), (Then::Ends, None, false));
}

#[test]
fn c_145_c_147_an_if_opens_and_all_its_sequences_start() {
    let graph = graph();
    let done = advance(&graph, &View::alone(1), &path(1, 1, 2, None, Place::Active), Outcome::EnterBodies);
    assert!(matches!(&done.then, Then::Parked(Parked { kind: ParkedFor::Bodies, .. })));
    assert_eq!(done.forked, [new(2, 2, 3, Some(1), false), new(3, 3, 4, Some(1), true)]);
    assert!(done.log.is_empty(), "the If is not over");
}

#[test]
fn c_146_the_if_goes_on_when_the_last_body_path_ended() {
    let graph = graph();
    let open = path(1, 1, 2, None, Place::Open);
    let view = View { issued: 3, others: vec![open.clone(), path(3, 3, 4, Some(1), Place::Parked)] };
    let first = advance(&graph, &view, &path(2, 2, 3, Some(1), Place::Active), completed(vec![]));
    assert_eq!(first.closed, None);
    let view = View { issued: 3, others: vec![open] };
    let last = advance(&graph, &view, &path(3, 3, 4, Some(1), Place::Active), completed(vec![]));
    assert_eq!(last.closed, Some(Closed { path: 1, queued: false }));
    assert!(last.alone && last.ended.is_none());
}

#[test]
fn a_jump_out_of_the_body_leaves_it_and_goes_on_outside() {
    let graph = graph();
    let view = View { issued: 2, others: vec![path(1, 1, 2, None, Place::Open)] };
    let next = route::select(&graph.steps[3].routes, &[]);
    let out = advance(&graph, &view, &path(2, 2, 3, Some(1), Place::Active), completed(next));
    assert_eq!(out.then, Then::Continues(new(2, 3, 0, None, true)));
    assert_eq!(out.closed, Some(Closed { path: 1, queued: false }));
    assert!(!out.alone);
}

#[test]
fn c_128_c_130_a_fault_ends_every_path() {
    let graph = graph();
    let mut pending = path(3, 3, 4, None, Place::Queued);
    pending.started_at = None;
    let view = View { issued: 3, others: vec![pending] };
    let failed = Outcome::Failed { message: "no".to_owned(), result: None };
    let done = advance(&graph, &view, &path(1, 2, 1, None, Place::Active), failed);
    assert_eq!(done.ended, Some(InstanceStatus::Terminated));
    assert_eq!(done.cancelled, [3]);
    let log: Vec<_> = done.log.iter().map(|e| (e.n, e.status, e.error.as_deref())).collect();
    assert_eq!(log, [(2, StepStatus::Failed, Some("no")), (3, StepStatus::Cancelled, None)]);
}

#[test]
fn the_ten_thousand_and_first_job_is_refused_by_name() {
    let graph = graph();
    let next = vec![Landing { step: 1, leaves: 0 }];
    let view = View::alone(MAX_JOBS);
    let done = advance(&graph, &view, &path(1, MAX_JOBS, 0, None, Place::Active), completed(next.clone()));
    assert_eq!(done.ended, Some(InstanceStatus::Terminated));
    let log: Vec<_> = done.log.iter().map(|e| (e.n, e.name.as_str(), e.error.as_deref())).collect();
    assert_eq!(log, [(10_000, "a", None), (10_001, "b", Some(TOO_MANY_STEPS))]);
    let view = View::alone(MAX_JOBS - 1);
    let last = advance(&graph, &view, &path(1, MAX_JOBS - 1, 0, None, Place::Active), completed(next));
    assert_eq!((last.ended, last.issued), (None, MAX_JOBS));
}

#[test]
fn a_parked_path_gives_the_turn_to_its_sibling() {
    let graph = graph();
    let view = View { issued: 3, others: vec![path(3, 3, 0, None, Place::Queued)] };
    let waiting = Outcome::Waiting { wait: Wait::Timer, due_after: Duration::from_secs(1) };
    let done = advance(&graph, &view, &path(1, 2, 4, None, Place::Active), waiting);
    assert_eq!(done.woken, Some(3));
    assert!(matches!(done.then, Then::Parked(Parked { kind: ParkedFor::Time(_), .. })));
    assert!(!done.alone && done.log.is_empty());
}
