//! Life cycle, routing, parallel paths, If, loops (spec 3.3–3.5, 5.4–5.6).

use serde_json::{Value, json};

use crate::support::{Engine, Run};

fn branch(id: &str, select: Value) -> Value {
    json!({"id": id, "stepType": "Branch", "selectNextStep": select})
}

/// A step that only keeps a value.
fn note(id: &str, outputs: Value, next: Option<&str>) -> Value {
    json!({"id": id, "stepType": "If", "outputs": outputs, "nextStepId": next})
}

#[tokio::test]
async fn c_114_c_131_c_132_c_133_execution_starts_with_the_first_step_and_follows_the_routes() {
    let engine = Engine::start().await;
    let run = engine
        .run(
            json!([
                note("first", json!({}), Some("third")),
                note("second", json!({}), None),
                note("third", json!({}), None)
            ]),
            json!({}),
        )
        .await;
    assert_eq!(run.logs().await, ["first:Complete", "third:Complete"]);
    let show = run.show().await;
    assert_eq!(show["status"], "Complete");
    assert!(show["completedAt"].is_string());
    assert_eq!(run.errors().await, Vec::<Value>::new());
    engine.finish().await;
}

#[tokio::test]
async fn c_134_two_true_conditions_run_both_targets_and_default_none() {
    let engine = Engine::start().await;
    let steps = json!([
        branch(
            "fork",
            json!({"b": "{{data.n > 1}}", "a": "{{ data.n > 2 }}", "c": "{{data.n > 3}}", "d": null})
        ),
        note("a", json!({"a": "{{1}}"}), None),
        note("b", json!({"b": "{{2}}"}), None),
        note("c", json!({}), None),
        note("d", json!({}), None),
    ]);
    let run = engine.run(steps, json!({"n": 3})).await;
    assert_eq!(run.steps().await, ["fork", "b", "a"]);
    let data = run.data().await;
    assert_eq!((&data["a"], &data["b"]), (&json!(1), &json!(2)), "no path loses the other's output");
    engine.finish().await;
}

#[tokio::test]
async fn c_135_c_136_c_137_null_is_the_default_and_no_choice_completes() {
    let engine = Engine::start().await;
    let steps = json!([
        branch("choose", json!({"yes": "{{  data.yes == true  }}", "no": null})),
        note("yes", json!({}), None),
        note("no", json!({}), None),
    ]);
    assert_eq!(engine.run(steps.clone(), json!({"yes": true})).await.steps().await, ["choose", "yes"]);
    assert_eq!(engine.run(steps, json!({})).await.steps().await, ["choose", "no"]);
    let none = engine.run(json!([branch("choose", json!({"choose": "{{false}}"}))]), json!({})).await;
    assert_eq!((none.status().await.as_str(), none.steps().await), ("Complete", vec!["choose".to_owned()]));
    engine.finish().await;
}

#[tokio::test]
async fn c_138_c_139_c_140_conditions_see_the_step_and_its_outputs_the_next_step_does_not() {
    let engine = Engine::start().await;
    let url = format!("{}/json", engine.endpoint.url);
    let steps = json!([
        {"id": "call", "stepType": "HttpRequest", "inputs": {"url": url, "method": "get"},
            "outputs": {"code": "{{step.responseCode}}", "again": "{{data.code + 1}}"},
            "selectNextStep": {"good": "{{step.responseCode == '200' && data.code == 200}}", "bad": null}},
        note("good", json!({"left": "{{step.responseCode == null}}"}), None),
        note("bad", json!({}), None),
    ]);
    let run = engine.run(steps, json!({})).await;
    assert_eq!(run.steps().await, ["call", "good"]);
    let data = run.data().await;
    assert_eq!((&data["code"], &data["again"], &data["left"]), (&json!(200), &json!(201), &json!(true)));
    engine.finish().await;
}

#[tokio::test]
async fn c_141_c_142_a_missing_target_ends_the_path_and_select_wins_over_next() {
    let engine = Engine::start().await;
    let dangling = engine.run(json!([note("only", json!({}), Some("nowhere"))]), json!({})).await;
    assert_eq!((dangling.status().await.as_str(), dangling.errors().await.len()), ("Complete", 0));
    let both = json!([
        {"id": "both", "stepType": "Branch", "selectNextStep": {"a": "{{true}}"}, "nextStepId": "b"},
        note("a", json!({}), None), note("b", json!({}), None),
    ]);
    assert_eq!(engine.run(both, json!({})).await.steps().await, ["both", "a"]);
    engine.finish().await;
}

#[tokio::test]
async fn c_143_a_loop_logs_each_execution() {
    let engine = Engine::start().await;
    let steps = json!([
        note("count", json!({"n": "{{(data.n || 0) + 1}}"}), Some("more")),
        branch("more", json!({"count": "{{data.n < 3}}"})),
    ]);
    let run = engine.run(steps, json!({})).await;
    assert_eq!(run.steps().await, ["count", "more", "count", "more", "count", "more"]);
    assert_eq!(run.data().await["n"], 3);
    engine.finish().await;
}

#[tokio::test]
async fn a_loop_without_end_is_stopped_by_name_and_others_run_meanwhile() {
    let engine = Engine::start().await;
    let endless = json!([branch("spin", json!({"spin": "{{true}}"}))]);
    let definition = engine.app.define(crate::support::definition(endless)).await;
    let path = engine.app.start_instance(&definition, json!({})).await;
    let other = engine.run(json!([note("quick", json!({}), None)]), json!({})).await;
    assert_eq!(other.status().await, "Complete");
    engine.run_until_idle().await;
    let errors = engine.app.get(&format!("{path}/errors")).await.expect(200);
    assert_eq!(errors[0]["message"], "Workflow exceeded the maximum number of steps.");
    assert_eq!(errors[0]["step"], "spin");
    let show = engine.app.get(&path).await.expect(200);
    assert_eq!(show["status"], "Terminated");
    engine.finish().await;
}

#[tokio::test]
async fn c_144_parallel_waits_both_end_before_the_instance() {
    let engine = Engine::start().await;
    let wait =
        |id: &str, duration: &str| json!({"id": id, "stepType": "Wait", "inputs": {"duration": duration}});
    let steps = json!([
        branch("fork", json!({"short": "{{true}}", "long": "{{true}}"})),
        wait("short", "01:00:00"),
        wait("long", "02:00:00"),
    ]);
    let run = engine.run(steps, json!({})).await;
    assert_eq!(run.logs().await, ["fork:Complete", "short:Sleeping", "long:Sleeping"]);
    engine.pass_time(3600.0).await;
    assert_eq!(run.logs().await, ["fork:Complete", "short:Complete", "long:Sleeping"]);
    assert_eq!(run.status().await, "Runnable");
    engine.pass_time(3600.0).await;
    assert_eq!(run.status().await, "Complete");
    engine.finish().await;
}

fn an_if(condition: Value) -> Value {
    json!([
        {"id": "if", "stepType": "If", "inputs": condition, "nextStepId": "after", "do": [
            [note("a1", json!({}), Some("a2")), note("a2", json!({}), None), note("a3", json!({}), None)],
            [{"id": "b1", "stepType": "Wait", "inputs": {"duration": "00:00:01"}, "nextStepId": "b2"},
             note("b2", json!({}), None)],
        ]},
        note("after", json!({}), None),
    ])
}

async fn finished(run: &Run<'_>) -> Vec<String> {
    assert_eq!(run.status().await, "Complete");
    run.steps().await
}

#[tokio::test]
async fn c_145_c_146_c_147_c_148_an_if_runs_its_sequences_then_goes_on() {
    let engine = Engine::start().await;
    let run = engine.run(an_if(json!({"condition": "{{data.yes}}"})), json!({"yes": "true"})).await;
    engine.pass_time(1.0).await;
    let mut steps = finished(&run).await;
    assert_eq!(steps.pop().as_deref(), Some("after"), "{steps:?}");
    steps.sort();
    assert_eq!(steps, ["a1", "a2", "b1", "b2", "if"]);
    engine.finish().await;
}

#[tokio::test]
async fn c_145_c_149_a_false_or_missing_condition_skips_the_body() {
    let engine = Engine::start().await;
    for inputs in [json!({"condition": "{{data.yes}}"}), json!({"condition": "false"}), json!({})] {
        let run = engine.run(an_if(inputs), json!({"yes": 0})).await;
        assert_eq!(finished(&run).await, ["if", "after"]);
    }
    engine.finish().await;
}

#[tokio::test]
async fn jumps_follow_their_route_under_each_of_their_names() {
    let engine = Engine::start().await;
    let steps = json!([
        {"id": "a", "stepType": "JumpTo", "nextStepId": "c"},
        {"id": "b", "stepType": "Goto", "inputs": {"stepId": "d"}},
        {"id": "c", "stepType": "jump", "inputs": {"stepId": "d"}, "nextStepId": "b"},
        note("d", json!({}), None),
    ]);
    assert_eq!(engine.run(steps, json!({})).await.steps().await, ["a", "c", "b", "d"]);
    engine.finish().await;
}

#[tokio::test]
async fn nested_ifs_and_jumps_out_of_them_end_well() {
    let engine = Engine::start().await;
    let steps = json!([
        {"id": "outer", "stepType": "If", "inputs": {"condition": "true"}, "nextStepId": "end", "do": [[
            {"id": "inner", "stepType": "If", "inputs": {"condition": "{{true}}"}, "nextStepId": "after_inner", "do": [[
                branch("leave", json!({"outside": "{{true}}", "stay": "{{true}}"})),
                note("stay", json!({}), None),
            ]]},
            note("after_inner", json!({}), None),
        ]]},
        note("end", json!({}), None),
        note("outside", json!({}), None),
    ]);
    let run = engine.run(steps, json!({})).await;
    let mut steps = finished(&run).await;
    steps.sort();
    assert_eq!(steps, ["after_inner", "end", "inner", "leave", "outer", "outside", "stay"]);
    engine.finish().await;
}

#[tokio::test]
async fn c_128_c_130_a_fault_fails_its_step_and_cancels_the_other_paths() {
    let engine = Engine::start().await;
    let steps = json!([
        branch("fork", json!({"sleeps": "{{true}}", "breaks": "{{true}}", "late": "{{true}}"})),
        {"id": "sleeps", "stepType": "Wait", "inputs": {"duration": "1"}, "nextStepId": "late"},
        note("breaks", json!({"x": "{{noSuchFunction(1)}}"}), Some("late")),
        note("late", json!({}), None),
    ]);
    let run = engine.run(steps, json!({})).await;
    assert_eq!(run.status().await, "Terminated");
    let logs = run.logs().await;
    assert!(
        logs.contains(&"breaks:Failed".to_owned()) && logs.contains(&"sleeps:Cancelled".to_owned()),
        "{logs:?}"
    );
    assert!(run.show().await["completedAt"].is_string());
    let errors = run.errors().await;
    assert_eq!(errors.len(), 1);
    assert_eq!(
        (&errors[0]["step"], &errors[0]["workflowId"]),
        (&json!("breaks"), &run.show().await["workflowId"])
    );
    let message = errors[0]["message"].as_str().unwrap();
    assert!(message.starts_with("Failed to evaluate the expression. Error: "), "{message}");
    engine.finish().await;
}

#[tokio::test]
async fn c_205_c_206_c_221_c_222_c_223_outputs_and_inputs_through_the_whole_engine() {
    let engine = Engine::start().await;
    let url = format!("{}/json", engine.endpoint.url);
    let steps = json!([
        {"id": "call", "stepType": "HttpRequest",
            "inputs": {"url": url, "method": "POST", "body": {"{{key}}": ["{{who}}", {"n": "{{data.list[1]}}"}]}},
            "outputs": {"code": "step.responseCode", "literal": "plain", "variable 0": "variable 0",
                "new": "variable 7", "accountId": "{{'stolen'}}", "whole": "{{step.responseBody.nested}}"}},
    ]);
    let run = engine.run(steps, json!({"who": "Mei", "list": [1, 2], "variable 0": "kept"})).await;
    assert_eq!(engine.endpoint.received()[0].json(), json!({"{{key}}": ["Mei", {"n": 2}]}));
    let data = run.data().await;
    assert_eq!(data["code"], 200);
    assert_eq!(data["literal"], "plain");
    assert_eq!(data["variable 0"], "kept");
    assert_eq!(data["accountId"], "acme");
    assert_eq!(data["whole"], json!({"a": {"b": "deep"}}));
    engine.finish().await;
}

#[tokio::test]
async fn a_context_that_outgrows_a_megabyte_faults_the_step() {
    let engine = Engine::start().await;
    let steps = json!([note(
        "grow",
        json!({"text": "{{(data.text || 'x').repeat(200000)}}", "more": "{{data.text}}", "yet": "{{data.text}}",
            "and": "{{data.text}}", "still": "{{data.text}}", "enough": "{{data.text}}"}),
        None
    ),]);
    let run = engine.run(steps, json!({})).await;
    assert_eq!(run.error().await, "Workflow context is larger than 1 MiB.");
    engine.finish().await;
}
