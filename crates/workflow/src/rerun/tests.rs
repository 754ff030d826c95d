//! Tables of logs and what follows from them.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::*;

const END: DateTime<Utc> = DateTime::UNIX_EPOCH;

fn graph() -> Graph {
    graph_of(&json!([{"id": "inner", "stepType": "If", "do": [[{"id": "deep", "stepType": "Branch"}]]}]))
}

fn graph_of(body: &Value) -> Graph {
    Graph::new(&json!([
        {"id": "first", "stepType": "Branch", "selectNextStep": {"outer": "{{1}}", "wait": "{{1}}"}},
        {"id": "outer", "stepType": "If", "do": [body, [{"id": "b", "stepType": "Wait"}]]},
        {"id": "wait", "stepType": "Wait"},
    ]))
}

fn entry(n: i32, name: &str, status: StepStatus) -> Logged {
    Logged { n, name: name.to_owned(), status, is_started: true, completed_at: END, error: None }
}

fn failed(n: i32, name: &str) -> Logged {
    Logged { error: Some("no".to_owned()), ..entry(n, name, StepStatus::Failed) }
}

fn cancelled(n: i32, name: &str) -> Logged {
    entry(n, name, StepStatus::Cancelled)
}

fn done(n: i32, name: &str) -> Logged {
    Logged { completed_at: END - TimeDelta::seconds(1), ..entry(n, name, StepStatus::Complete) }
}

/// Path, id of the step, scope and place of each beginning.
type Named = (i32, String, Option<i32>, BeginningPlace);

fn begin(log: &[Logged], target: &Graph, from: &StartAt) -> Result<Vec<Named>, Refusal> {
    begin_behind(&[], log, target, from)
}

/// Of an instance whose paths of these numbers began behind bodies.
fn begin_behind(
    behind: &[i32],
    log: &[Logged],
    target: &Graph,
    from: &StartAt,
) -> Result<Vec<Named>, Refusal> {
    let graph = graph();
    let origin = Origin { graph: &graph, log, behind, ended_at: END };
    let target = Target { graph: target, version: 2, is_same: false };
    let beginnings = rerun(&origin, 1, &target, from)?;
    let name = |b: Beginning| (b.path, target.graph.steps[b.step].id.clone(), b.scope, b.place);
    Ok(beginnings.into_iter().map(name).collect())
}

fn named(path: i32, id: &str, scope: Option<i32>, place: BeginningPlace) -> Named {
    (path, id.to_owned(), scope, place)
}

use BeginningPlace::{Active, BehindBodies, Open, Queued};

#[test]
fn a_failed_step_begins_again_and_its_siblings_queue_behind_it() {
    let timed_out = Logged { completed_at: END - TimeDelta::seconds(1), ..cancelled(2, "b") };
    let log = [done(1, "first"), timed_out, failed(3, "first"), cancelled(4, "wait")];
    assert_eq!(
        begin(&log, &graph(), &StartAt::Failed),
        Ok(vec![named(1, "first", None, Active), named(2, "wait", None, Queued)])
    );
}

#[test]
fn open_ifs_are_rebuilt_around_what_is_in_them() {
    let log = [
        done(1, "first"),
        cancelled(2, "outer"),
        cancelled(3, "wait"),
        cancelled(4, "inner"),
        cancelled(5, "b"),
        failed(6, "deep"),
    ];
    assert_eq!(
        begin(&log, &graph(), &StartAt::Failed),
        Ok(vec![
            named(1, "outer", None, Open),
            named(2, "wait", None, Queued),
            named(3, "inner", Some(1), Open),
            named(4, "b", Some(1), Queued),
            named(5, "deep", Some(3), Active),
        ])
    );
}

#[test]
fn an_if_whose_bodies_had_ended_goes_on_behind_them() {
    let log = [done(1, "first"), cancelled(2, "outer"), failed(3, "wait"), done(4, "deep"), done(5, "b")];
    assert_eq!(
        begin(&log, &graph(), &StartAt::Failed),
        Ok(vec![named(1, "outer", None, BehindBodies { queued: true }), named(2, "wait", None, Active)])
    );
    let log = [done(1, "first"), failed(2, "outer"), done(3, "b")];
    assert_eq!(
        begin(&log, &graph(), &StartAt::Failed),
        Ok(vec![named(1, "outer", None, BehindBodies { queued: false })])
    );
    let log = [done(1, "b"), failed(2, "outer")];
    assert_eq!(begin(&log, &graph(), &StartAt::Failed), Ok(vec![named(1, "outer", None, Active)]));
}

#[test]
fn bodies_that_an_earlier_run_went_through_are_not_run_again() {
    let again = |log: &[Logged]| begin_behind(&[1], log, &graph(), &StartAt::Failed);
    let failed_again = vec![named(1, "outer", None, BehindBodies { queued: false })];
    assert_eq!(again(&[failed(1, "outer")]), Ok(failed_again));
    // Its turn had not come.
    let waiting = Logged { is_started: false, ..cancelled(1, "outer") };
    let behind = vec![named(1, "outer", None, BehindBodies { queued: true }), named(2, "wait", None, Active)];
    assert_eq!(again(&[waiting, failed(2, "wait")]), Ok(behind));
    // Another path came to the same `If` later.
    let log = [done(1, "outer"), failed(4, "outer")];
    assert_eq!(again(&log), Ok(vec![named(1, "outer", None, Active)]));
}

#[test]
fn what_was_written_to_the_context_shows_in_the_log() {
    let graph = Graph::new(&json!([
        {"id": "reads", "stepType": "Wait"},
        {"id": "forks", "stepType": "Branch", "outputs": {"a": "{{1}}"}},
        {"id": "writes", "stepType": "If", "do": [[{"id": "inside", "stepType": "If", "outputs": {"b": "{{1}}"}}]]},
    ]));
    assert!(!has_written(
        &graph,
        &[done(1, "reads"), done(2, "forks"), done(3, "writes"), failed(4, "inside")]
    ));
    assert!(has_written(&graph, &[done(1, "inside"), failed(2, "reads")]));
}

#[test]
fn of_two_at_an_if_the_one_that_began_before_its_bodies_is_open() {
    let log = [cancelled(2, "outer"), failed(3, "b"), cancelled(4, "outer")];
    assert_eq!(
        begin(&log, &graph(), &StartAt::Failed),
        Ok(vec![
            named(1, "outer", None, Open),
            named(2, "b", Some(1), Active),
            named(3, "outer", None, Queued)
        ])
    );
    let log = [cancelled(2, "outer"), cancelled(3, "outer"), failed(4, "b")];
    let refused = begin(&log, &graph(), &StartAt::Failed);
    assert_eq!(refused, Err(Refusal::SeveralTimesOpen("outer".to_owned())));
}

#[test]
fn what_has_no_failed_step_has_nothing_to_go_on_with() {
    let log = [done(1, "first"), cancelled(2, "wait")];
    assert_eq!(begin(&log, &graph(), &StartAt::Failed), Err(Refusal::NoFailedStep));
    let limit = Logged { error: Some(TOO_MANY_STEPS.to_owned()), ..failed(2, "wait") };
    assert_eq!(begin(&[limit], &graph(), &StartAt::Failed), Err(Refusal::TooManySteps));
}

#[test]
fn another_version_must_have_the_steps_in_the_same_ifs() {
    let log = [cancelled(1, "outer"), cancelled(2, "inner"), failed(3, "deep")];
    let step = || "deep".to_owned();
    let moved = graph_of(&json!([{"id": "deep", "stepType": "Branch"}, {"id": "inner", "stepType": "If"}]));
    let gone = graph_of(&json!([{"id": "inner", "stepType": "If"}]));
    let other = graph_of(
        &json!([{"id": "new"}, {"id": "inner", "stepType": "If", "do": [[{"id": "newer"}, {"id": "deep"}]]}]),
    );
    let expected = vec![
        named(1, "outer", None, Open),
        named(2, "inner", Some(1), Open),
        named(3, "deep", Some(2), Active),
    ];
    assert_eq!(begin(&log, &other, &StartAt::Failed), Ok(expected));
    assert_eq!(begin(&log, &moved, &StartAt::Failed), Err(Refusal::OtherPlace { version: 2, step: step() }));
    assert_eq!(begin(&log, &gone, &StartAt::Failed), Err(Refusal::NoSuchStep { version: 2, step: step() }));
    let no_if = Graph::new(&json!([{"id": "outer", "stepType": "Branch"}]));
    let log = [failed(1, "outer"), done(2, "b")];
    let step = "outer".to_owned();
    assert_eq!(begin(&log, &no_if, &StartAt::Failed), Err(Refusal::NoIf { version: 2, step }));
}

#[test]
fn a_chosen_step_begins_in_its_ifs() {
    let deep = StartAt::Step("deep".to_owned());
    let expected = vec![
        named(1, "outer", None, Open),
        named(2, "inner", Some(1), Open),
        named(3, "deep", Some(2), Active),
    ];
    assert_eq!(begin(&[], &graph(), &deep), Ok(expected));
    let none = StartAt::Step("nowhere".to_owned());
    let step = "nowhere".to_owned();
    assert_eq!(begin(&[], &graph(), &none), Err(Refusal::NoSuchStep { version: 2, step }));
    let twice = graph_of(&json!([{"id": "b", "stepType": "Branch"}]));
    let b = StartAt::Step("b".to_owned());
    let several = Refusal::SeveralSteps { version: 2, step: "b".to_owned() };
    assert_eq!(begin(&[], &twice, &b), Err(several));
    assert_eq!(begin(&[], &graph(), &StartAt::Start), Ok(vec![named(1, "first", None, Active)]));
}
