//! The scripts of `tests/corpus`: attempts to get out, each with what it comes to; attempts to take too much; and what
//! either of them leaves for other accounts.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use trunkline_expressions::{EvaluationError, Evaluator, Limits, Template};

use crate::support::{command, object};

const ESCAPES: &str = include_str!("../corpus/escapes.txt");
const BOMBS: &str = include_str!("../corpus/bombs.txt");

/// Of another account, and in no answer.
const SECRET: &str = "the other account's secret";

/// The longest that a script may take on a machine that does other things.
const PATIENCE: Duration = Duration::from_secs(30);

fn lines(corpus: &'static str) -> impl Iterator<Item = &'static str> {
    corpus.lines().filter(|line| !line.starts_with('#') && !line.is_empty())
}

/// Verdict and script.
fn escapes() -> impl Iterator<Item = (&'static str, &'static str)> {
    lines(ESCAPES).map(|line| line.split_once('\t').unwrap_or_else(|| panic!("{line}")))
}

fn evaluator(children: usize) -> Evaluator {
    Evaluator::new(command(), children, Limits::default()).without_fast_path()
}

fn data() -> Map<String, Value> {
    object(json!({"list": [3, 1, 2], "object": {"deep": {"x": 1}}}))
}

/// `None`: it cannot be saved.
async fn evaluate(evaluator: &Evaluator, account: &str, script: &str) -> Option<Result<Value, String>> {
    let template = Template::compile(&json!(format!("{{{{{script}}}}}"))).ok()?;
    Some(match evaluator.inputs(account, &template, &data()).await {
        Ok(value) => Ok(value),
        Err(error @ EvaluationError::Script { .. }) => Err(error.to_string()),
        Err(error @ EvaluationError::Unavailable { .. }) => panic!("{script}: {error}"),
    })
}

#[tokio::test]
async fn every_attempt_to_get_out_comes_to_what_it_came_to() {
    let evaluator = evaluator(1);
    let mut others = Vec::new();
    let mut count = 0;
    for (expected, script) in escapes() {
        let verdict = match evaluate(&evaluator, "attacker", script).await {
            None => "refused".to_owned(),
            Some(Err(_)) => "fault".to_owned(),
            Some(Ok(value)) => value.to_string(),
        };
        if verdict != expected {
            others.push(format!("{verdict}\t{script}"));
        }
        count += 1;
    }
    assert!(count >= 200, "{count}");
    assert!(others.is_empty(), "they come to something else:\n{}", others.join("\n"));
}

/// Both paths to a value agree about what is refused and what it is.
#[tokio::test]
async fn the_fast_path_gives_nothing_that_the_sandbox_does_not() {
    let fast = Evaluator::new(command(), 1, Limits::default());
    for (expected, script) in escapes().filter(|(expected, _)| *expected != "refused") {
        let value = evaluate(&fast, "attacker", script).await.unwrap();
        let verdict = value.map_or_else(|_| "fault".to_owned(), |value| value.to_string());
        assert_eq!(verdict, expected, "{script}");
    }
}

#[tokio::test]
async fn nothing_of_one_account_is_seen_by_another() {
    let evaluator = evaluator(1);
    let template = |text: &str| Template::compile(&json!(text)).unwrap();
    let secret = template("{{[data.secret].map(x => x + RegExp('.').test(x))[0]}}");
    let own = object(json!({"secret": SECRET}));
    let probes = template(
        "{{[Object.getOwnPropertyNames(Object.prototype), Object.getOwnPropertyNames(Array.prototype), \
         [3, 1].map(x => x + 1), JSON.stringify({a: 1}), `${{}}`, RegExp.lastMatch, {}.polluted, [].polluted, \
         Object.keys(data), Math.max(1, 2), 'a'.trim(), Object.getPrototypeOf(data) === Object.prototype]}}",
    );
    let fresh = evaluator.inputs("fresh", &probes, &data()).await.unwrap();
    for (_, script) in escapes() {
        evaluator.inputs("victim", &secret, &own).await.unwrap();
        if let Some(answer) = evaluate(&evaluator, "attacker", script).await {
            let told = answer.map_or_else(|fault| fault, |value| value.to_string());
            assert!(!told.contains(SECRET), "{script} gave {told}");
        }
        let seen = evaluator.inputs("victim", &probes, &data()).await;
        assert_eq!(seen.as_ref(), Ok(&fresh), "another account after {script}");
        let seen = evaluator.inputs("attacker", &probes, &data()).await;
        assert_eq!(seen.as_ref(), Ok(&fresh), "the next evaluation after {script}");
    }
}

/// One after the other on one child: each ends by a limit, and the next account is served.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bomb_is_stopped_and_the_next_account_is_served() {
    let evaluator = evaluator(1);
    for script in lines(BOMBS) {
        let begun = Instant::now();
        if let Some(answer) = evaluate(&evaluator, "bomber", script).await {
            let told = answer.as_ref().map_or_else(String::len, |value| value.to_string().len());
            assert!(told < 1_000, "{script}: {answer:?}");
        }
        assert!(begun.elapsed() < PATIENCE, "{script} took {:?}", begun.elapsed());
        let next = evaluate(&evaluator, "honest", "data.list.map(x => x + 1)").await;
        assert_eq!(next, Some(Ok(json!([4, 2, 3]))), "after {script}");
    }
}
