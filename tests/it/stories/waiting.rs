//! Waits (spec 3.5.6, 5.4).

use std::time::Instant;

use serde_json::json;

use crate::support::{Engine, until};

#[tokio::test]
async fn c_115_a_sleeping_instance_is_runnable_and_its_step_sleeps() {
    let engine = Engine::start().await;
    let steps = json!([{"id": "pause", "stepType": "Wait", "inputs": {"duration": "{{data.pause}}"}}]);
    let run = engine.run(steps, json!({"pause": "0.01:00:00"})).await;
    assert_eq!(run.status().await, "Runnable");
    assert_eq!(run.logs().await, ["pause:Sleeping"]);
    assert!(run.show().await["completedAt"].is_null());
    engine.pass_time(3599.0).await;
    assert_eq!(run.status().await, "Runnable", "not a second early");
    engine.pass_time(1.0).await;
    assert_eq!(run.status().await, "Complete");
    engine.finish().await;
}

#[tokio::test]
async fn c_150_a_wait_of_two_seconds_takes_two_to_four() {
    let engine = Engine::start().await;
    let steps = json!([
        {"id": "pause", "stepType": "Wait", "inputs": {"duration": "00:00:02"}, "nextStepId": "after"},
        {"id": "after", "stepType": "If"},
    ]);
    let begun = Instant::now();
    let run = engine.run(steps, json!({})).await;
    until("the instance is over", || async { run.status().await == "Complete" }).await;
    let elapsed = begun.elapsed().as_secs_f64();
    let logs = run.show().await["logs"].clone();
    let started =
        |at: usize| chrono::DateTime::parse_from_rfc3339(logs[at]["startedAt"].as_str().unwrap()).unwrap();
    let delay = (started(1) - started(0)).as_seconds_f64();
    assert!((1.99..4.0).contains(&delay), "{delay} s by the log, {elapsed} s by the clock");
    engine.finish().await;
}

#[tokio::test]
async fn zero_goes_on_at_once_and_nonsense_faults() {
    let engine = Engine::start().await;
    let steps = json!([{"id": "pause", "stepType": "Wait", "inputs": {"duration": "{{data.d}}"}}]);
    assert_eq!(engine.run(steps.clone(), json!({"d": "00:00:00"})).await.status().await, "Complete");
    assert_eq!(
        engine.run(steps.clone(), json!({"d": "soon"})).await.error().await,
        "Invalid timespan 'soon'."
    );
    let missing = engine.run(steps, json!({})).await.error().await;
    assert_eq!(missing, "Step 'pause': input 'duration' is required.");
    engine.finish().await;
}
