//! Outputs and conditions (spec 3.4, 4.2).

use serde_json::{Value, json};
use trunkline_expressions::{After, AfterResult, Evaluator, Template};

use crate::support::{ACCOUNT, detail, evaluator, object};

fn after(outputs: &Value, conditions: &[Value]) -> After {
    let outputs = outputs.as_object().unwrap().iter();
    After {
        outputs: outputs
            .map(|(key, value)| (key.clone(), Template::compile_output(value).unwrap()))
            .collect(),
        conditions: conditions.iter().map(|value| Template::compile_condition(value).unwrap()).collect(),
    }
}

async fn run(
    evaluator: &Evaluator,
    after: &After,
    data: &Value,
    step: &Value,
) -> Result<AfterResult, String> {
    evaluator.after(ACCOUNT, after, &object(data.clone()), step).await.map_err(detail)
}

/// Evaluates with the fast path and without it, and expects the same of both.
async fn both(after: &After, data: &Value, step: &Value) -> Result<AfterResult, String> {
    let fast = evaluator();
    let slow = fast.clone().without_fast_path();
    let result = run(&fast, after, data, step).await;
    assert_eq!(result, run(&slow, after, data, step).await);
    result
}

async fn assigned(outputs: Value, data: Value, step: Value) -> Vec<(String, Value)> {
    both(&after(&outputs, &[]), &data, &step).await.unwrap().assigned
}

fn pairs(value: &Value) -> Vec<(String, Value)> {
    value.as_object().unwrap().iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

#[tokio::test]
async fn c_204_the_response_code_is_compared_loosely() {
    let conditions = [json!("{{step.responseCode == '200'}}"), json!("{{ step.responseCode === '200' }}")];
    let result =
        both(&after(&json!({}), &conditions), &json!({}), &json!({"responseCode": 200})).await.unwrap();
    assert_eq!(result.truths, [true, false]);
}

#[tokio::test]
async fn c_221_literals_are_assigned_and_bare_paths_are_evaluated() {
    let outputs = json!({
        "literal": "text", "number": 5, "object": {"a": [1]}, "path": "step.responseCode", "deep": "data['a'].b",
        "missing": "step.nope.x", "sentence": "step.one is done", "nested": {"code": "{{step.responseCode}}", "p": "step.x"},
    });
    let expected = json!({
        "literal": "text", "number": 5, "object": {"a": [1]}, "path": 201, "deep": "B",
        "missing": null, "sentence": "step.one is done", "nested": {"code": 201, "p": "step.x"},
    });
    let data = json!({"a": {"b": "B"}});
    assert_eq!(assigned(outputs, data, json!({"responseCode": 201})).await, pairs(&expected));
}

#[tokio::test]
async fn c_222_a_placeholder_leaves_an_existing_member_alone() {
    let outputs = json!({"mobileNumber": "variable 0", "new": "variable 1", "x": "variable"});
    let data = json!({"mobileNumber": "+6512345678"});
    let expected = json!({"new": "variable 1", "x": "variable"});
    assert_eq!(assigned(outputs, data, json!({})).await, pairs(&expected));
}

#[tokio::test]
async fn c_223_reserved_members_are_not_overwritten() {
    let outputs =
        json!({"accountId": "x", "subAccountId": "{{1}}", "triggeredAt": "{{nope()}}", "accountID": "y"});
    let data = json!({"accountId": "a"});
    assert_eq!(assigned(outputs, data, json!({})).await, pairs(&json!({"accountID": "y"})));
}

#[tokio::test]
async fn later_outputs_and_conditions_see_earlier_outputs() {
    // The same chain for both paths: the second line of each needs QuickJS.
    for script in ["{{data.a + 1}}", "{{[data.a].map(x => x + 1)[0]}}"] {
        let outputs = json!({
            "a": "{{step.n}}", "b": script, "c": "{{data.b + 1}}", "a.b": "{{data.c}}", "d": "{{data['a.b']}}", "e": 1,
            "a": "{{data.b * 10}}", "__proto__": "{{ {polluted: 1} }}", "f": "{{ {}.polluted }}",
        });
        let mut after = after(
            &outputs,
            &[json!("{{data.c == 3 && data.d == 3 && e == 1}}"), json!("[data.a].includes(5)")],
        );
        after.outputs.push(("a".into(), Template::compile_output(&json!("{{data.a + data.e}}")).unwrap()));
        let result = both(&after, &json!({"z": 1}), &json!({"n": 4})).await.unwrap();
        let assigned: serde_json::Map<String, Value> = result.assigned.into_iter().collect();
        // `a` stands once in the JSON above, at its first place with its last value.
        assert_eq!(assigned["f"], Value::Null);
        assert_eq!(assigned["d"], assigned["c"]);
        assert!(result.truths.len() == 2);
    }
}

#[tokio::test]
async fn outputs_are_assigned_one_after_the_other() {
    for script in ["{{data.a + 1}}", "{{[data.a].map(x => x + 1)[0]}}"] {
        let mut after = after(
            &json!({"a": "{{step.n}}", "b": script, "c": "{{data.b + 1}}"}),
            &[json!("{{data.c == 6}}"), json!("{{data.a == 4}}"), json!("[data.a].includes(14)")],
        );
        after.outputs.push(("a".into(), Template::compile_output(&json!("{{data.a + 10}}")).unwrap()));
        let result = both(&after, &json!({"a": "old"}), &json!({"n": 4})).await.unwrap();
        let expected =
            [("a", 4), ("b", 5), ("c", 6), ("a", 14)].map(|(key, value)| (key.to_owned(), json!(value)));
        assert_eq!(result.assigned, expected);
        assert_eq!(result.truths, [true, false, true]);
    }
}

#[tokio::test]
async fn an_output_is_seen_as_the_json_that_it_becomes() {
    let outputs = json!({
        "list": "{{[undefined, 0 / 0].map(x => x)}}", "first": "{{data.list[0] === null}}",
        "text": "<{{[data.list].map(x => x)}}>", "copy": "{{data.list}}", "same": "{{data.copy === data.list}}",
    });
    let expected = json!({"list": [null, null], "first": true, "text": "<[[null,null]]>", "copy": [null, null], "same": false});
    assert_eq!(assigned(outputs, json!({}), json!({})).await, pairs(&expected));
}

#[tokio::test]
async fn conditions_have_the_truth_of_javascript_and_of_words() {
    for (condition, truth) in [
        (json!(true), true),
        (json!(false), false),
        (json!(0), false),
        (json!("true"), true),
        (json!("data.reply != null"), true),
        (json!("{{ data.nothing != null }}"), false),
        (json!("{{'FALSE '}}"), false),
        (json!("{{'no'}}"), true),
        (json!("{{''}}"), false),
        (json!("{{0 / 0}}"), false),
        (json!("{{1 / 0}}"), true),
        (json!("{{ {} }}"), true),
        (json!("{{ data.reply }}"), true),
        (json!("{{data.nothing}}"), false),
        (json!("fal{{'se'}}"), false),
        (json!("{{[1].length}}"), true),
        (json!("{{[].length}}"), false),
        (json!("{{[].join()}}"), false),
        (json!("{{['true'].join()}}"), true),
        (json!("{{[0n][0]}}"), false),
    ] {
        let after = after(&json!({}), std::slice::from_ref(&condition));
        let result = both(&after, &json!({"reply": {"x": 1}}), &json!({})).await;
        assert_eq!(result.unwrap().truths, [truth], "{condition}");
    }
    let function = after(&json!({}), &[json!("{{x => x}}")]);
    assert!(both(&function, &json!({}), &json!({})).await.is_err());
}

#[tokio::test]
async fn a_fault_anywhere_is_a_fault_of_all() {
    let day = "isDayOfWeek('2021-05-25', 'x')";
    let in_array = json!({"a": "{{1}}", "b": ["{{data.a}}", format!("{{{{{day}}}}}")]});
    for (outputs, condition, shown) in [
        (json!({"a": "{{1}}", "b": "{{nope()}}"}), json!(true), "{{nope()}}"),
        (json!({"a": "{{[].map(i => i)}}", "b": 1}), json!("{{nope()}}"), "{{nope()}}"),
        (json!({"a": "{{1}}"}), json!("nope()"), "nope()"),
        (json!({"a": format!("{{{{{day}}}}}")}), json!(true), &format!("{{{{{day}}}}}")),
        (in_array, json!(true), &format!("{{{{data.a}}}} … {{{{{day}}}}}")),
    ] {
        let fault = both(&after(&outputs, &[condition]), &json!({}), &json!({})).await.unwrap_err();
        assert!(fault.starts_with("Failed to evaluate the expression. Error: "), "{fault}");
        assert!(fault.ends_with(&format!(", in `{shown}`.")), "{fault}");
    }
}

#[tokio::test]
async fn a_script_cannot_change_what_the_next_one_sees() {
    let outputs = json!({
        "sorted": "{{data.list.sort()}}", "list2": "{{data.list}}",
        "pushed": "{{data.list.push(9)}}", "list3": "{{data.list}}",
        "assigned": "{{Object.assign(data, {x: 1, list: []}).x}}", "x": "{{data.x}}",
        "ofStep": "{{step.items.splice(0, 1)}}", "items": "{{step.items}}",
        "own": "{{data.list2.reverse()}}", "list4": "{{data.list2}}",
    });
    let expected = json!({
        "sorted": [1, 2, 3], "list2": [3, 1, 2], "pushed": 4, "list3": [3, 1, 2], "assigned": 1, "x": null,
        "ofStep": ["a"], "items": ["a", "b"], "own": [2, 1, 3], "list4": [3, 1, 2],
    });
    let data = json!({"list": [3, 1, 2]});
    assert_eq!(assigned(outputs, data, json!({"items": ["a", "b"]})).await, pairs(&expected));
}
