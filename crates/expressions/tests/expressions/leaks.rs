//! What one evaluation does is not seen by the next.

use serde_json::{Value, json};
use trunkline_expressions::Template;

use crate::support::{ACCOUNT, evaluator, object};

/// Attempts to leave something behind or to get out.
const ATTEMPTS: &[&str] = &[
    "Object.assign(Object.prototype, {polluted: 1})",
    "Object.assign(Object.prototype, {toString: () => 'polluted'})",
    "Object.assign(Array.prototype, {polluted: 1, map: () => 'polluted'})",
    "Object.assign(String.prototype, {trim: () => 'polluted'})",
    "Object.assign(Number.prototype, {toFixed: () => 'polluted'})",
    "Object.assign(Math, {PI: 3, max: () => 'polluted'})",
    "Object.assign(JSON, {stringify: () => 'polluted', parse: () => 'polluted'})",
    "Object.assign(Date, {now: () => 'polluted', parse: () => 1})",
    "Object.assign(uuid, {polluted: 1})",
    "Object.assign(Error, {prepareStackTrace: () => 'polluted', stackTraceLimit: 0})",
    "Object.assign(Error.prototype, {message: 'polluted', name: 'polluted'})",
    "Object.assign(Symbol.prototype, {polluted: 1})",
    "Object.assign(Object.getPrototypeOf([].values()), {next: () => ({done: true})})",
    "Object.assign(Object.getPrototypeOf(''.matchAll(/a/g)), {next: () => ({done: true})})",
    "Object.assign(Object.getPrototypeOf(Object.getPrototypeOf([].values())), {map: () => 'polluted'})",
    "Object.assign(Object.getPrototypeOf(x => x), {polluted: 1, call: () => 'polluted'})",
    "Object.defineProperty(Object.prototype, 'polluted', {value: 1})",
    "Object.defineProperty(Array.prototype, '0', {value: 1})",
    "Object.setPrototypeOf(Array.prototype, {polluted: 1})",
    "Object.setPrototypeOf(data.__proto__, {polluted: 1})",
    "data.__defineGetter__('list', () => 'polluted')",
    "({}).__defineGetter__.call(Object.prototype, 'polluted', () => 1)",
    "Array.prototype.push.call(Array.prototype, 1)",
    "Array.prototype.push.apply(Object.prototype, ['polluted'])",
    "[data].map(Object.assign)",
    "Object.assign(data, {polluted: 1, list: [0]})",
    "Object.freeze(data)",
    "Object.freeze(data.list)",
    "Object.defineProperty(data, 'polluted', {value: 1})",
    "Object.setPrototypeOf(data, {polluted: 1})",
    "Object.assign(step, {polluted: 1})",
    "data.list.push(9)",
    "data.list.sort((a, b) => b - a)",
    "data.list.fill(0)",
    "data.list.splice(0)",
    "Object.assign(data.object, {deep: null})",
    "[...data.list].map(data.list.push, data.list)",
    "data.list.map((x, i, list) => Object.assign(list, {[i]: 9}))",
    "(x => x).constructor('return 1')()",
    "(x => x).__proto__.constructor('return 1')()",
    "data.constructor.constructor('return 1')()",
    "[].map.constructor('return 1')()",
    "Object.getOwnPropertyNames(Object.getPrototypeOf(x => x)).map(name => (x => x)[name]).find(f => f('return 1'))",
    "Object.getPrototypeOf(Object.getPrototypeOf(x => x)).constructor.constructor('return 1')()",
    "Array.fromAsync([1]).then(() => Object.assign(Object.prototype, {polluted: 1}))",
    "Symbol.for('x').description.polluted",
    "Map.groupBy([1], x => x).set('polluted', 1)",
    "/a/g.constructor.prototype.__defineGetter__('flags', () => 'polluted')",
    "'aaa'.replace(/a/g, (m, i, s) => Object.assign(Object, {polluted: 1}))",
    "{toJSON: () => Object.assign(Array, {polluted: 1})}",
    "{get: 1, valueOf: () => Object.assign(Object, {keys: 1})} + ''",
    "isCountryCode({toJSON: () => Object.assign(Object.prototype, {polluted: 1})}, 'SG')",
    "stringContains('\\ud83d', '\\ud83d')",
    "RegExp('x').constructor.polluted",
    "Object.assign(RegExp, {lastMatch: 1, input: 'polluted'})",
];

/// What would show one of them.
const PROBES: &[&str] = &[
    "data",
    "step",
    "{}.polluted",
    "[].polluted",
    "''.polluted",
    "(x => x).polluted",
    "Object.polluted",
    "uuid.polluted",
    "Object.keys(Object.prototype)",
    "Object.getOwnPropertyNames(Object.prototype)",
    "Object.getOwnPropertyNames(Array.prototype).length",
    "Object.isFrozen(data)",
    "Object.isExtensible(data.list)",
    "Object.getPrototypeOf(data) === Object.prototype",
    "[3, 1].map(x => x + 1)",
    "[...'ab'].length",
    "[...'aab'.matchAll(/a/g)].length",
    "[1].values().map(x => x).toArray()",
    "' a '.trim()",
    "(1.25).toFixed(1)",
    "[Math.PI, Math.max(1, 2)]",
    "JSON.stringify({a: 1})",
    "Date.parse('2026-03-02')",
    "Error('x').message + Error.stackTraceLimit + Error.prepareStackTrace",
    "`${{}}`",
    "[].length",
    "[][0]",
    "/a/g.flags",
    "RegExp.lastMatch",
    "Object.getOwnPropertyNames(Object).sort()",
    "data.list.concat(1)",
];

#[tokio::test]
async fn nothing_that_a_script_does_is_seen_by_the_next() {
    let data = object(json!({"list": [3, 1, 2], "object": {"deep": {"x": 1}}}));
    let probes: Vec<Value> = PROBES.iter().map(|probe| json!(format!("{{{{{probe}}}}}"))).collect();
    let probes = Template::compile(&Value::Array(probes)).unwrap();
    let fresh = evaluator().without_fast_path().inputs(ACCOUNT, &probes, &data).await.unwrap();
    assert_eq!(fresh[0]["list"], json!([3, 1, 2]));

    let evaluator = evaluator().without_fast_path();
    for attempt in ATTEMPTS {
        let template = Template::compile(&json!(format!("{{{{{attempt}}}}}")))
            .unwrap_or_else(|e| panic!("{attempt}: {e}"));
        let outcome = evaluator.inputs(ACCOUNT, &template, &data).await;
        if attempt.contains("return 1") {
            assert_ne!(outcome, Ok(json!(1)), "{attempt} compiled source");
        }
        // In the next request, and in the same one.
        assert_eq!(evaluator.inputs(ACCOUNT, &probes, &data).await, Ok(fresh.clone()), "after {attempt}");
        let swallowed = json!([format!("{{{{[1].map(() => {attempt}).length}}}}")]);
        if let Ok(both) = Template::compile(&swallowed)
            && let Ok(first) = evaluator.inputs(ACCOUNT, &both, &data).await
        {
            assert_eq!(first, json!([1]));
        }
        assert_eq!(
            evaluator.inputs(ACCOUNT, &probes, &data).await,
            Ok(fresh.clone()),
            "after {attempt} in a callback"
        );
    }
}

#[tokio::test]
async fn accounts_share_nothing() {
    let evaluator = evaluator().without_fast_path();
    let template = Template::compile(&json!("{{[data.secret].map(x => x)[0]}}")).unwrap();
    let secret = object(json!({"secret": "s"}));
    assert_eq!(evaluator.inputs("one", &template, &secret).await, Ok(json!("s")));
    assert_eq!(evaluator.inputs("two", &template, &object(json!({}))).await, Ok(json!(null)));
}

#[tokio::test]
async fn scripts_of_one_text_do_not_see_each_others_changes() {
    let both = crate::support::Both::new();
    let data = serde_json::json!({"list": [1, 2]});
    let text = serde_json::json!(
        "{{data.list.push(3)}}-{{data.list.length}}-{{data.list.reverse()[0]}}-{{data.list[0]}}"
    );
    assert_eq!(both.input(text, data).await, Ok(serde_json::json!("3-2-2-1")));
}
