//! Scripts that want too much of anything.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use trunkline_expressions::{EvaluationError, Evaluator, Limits, Template};

use crate::support::{ACCOUNT, command, detail, object};

/// Each of them would run for long, or take much memory or stack, if it were let.
const HOSTILE: &[&str] = &[
    // Loops that the engine can stop.
    "Array.from({length: 1e9}, (_, i) => i).length",
    "[...'x'.repeat(1e6)].map(a => [...'x'.repeat(1e6)].map(b => a + b).length).length",
    "(f => f[0](f))([f => f[0](f)])",
    "(o => o.f(o))({f: o => o.f(o) + 1})",
    "[1, 2].sort.call({length: 1e9}, () => 0)",
    "'a'.repeat(30).replace(/(a+)+b/, '')",
    "/^(([a-z])+.)+[A-Z]([a-z])+$/.test('a'.repeat(60))",
    "/(x+x+)+y/.test('x'.repeat(50))",
    "JSON.stringify({toJSON: () => Array.from({length: 1e8}, () => 1)})",
    // Built-ins that it cannot stop.
    "Array(2 ** 32 - 1).join('ab')",
    "Array(2 ** 32 - 1).sort()",
    "Array(2 ** 32 - 1).indexOf(1)",
    "Array(2 ** 32 - 1).reverse()",
    "Array(2 ** 32 - 1).fill(0)",
    "Array(2 ** 32 - 1).toString()",
    "Array(2 ** 31).lastIndexOf(7)",
    "[].concat(Array(2 ** 31)).includes(7)",
    "'ab'.repeat(4e6).indexOf('a'.repeat(2e6) + 'c')",
    "('a'.repeat(3e6) + 'b').lastIndexOf('a'.repeat(1e6) + 'c')",
    "(2n ** 3000000n).toString().length",
    "7n ** 9000000n % 3n",
    // Memory.
    "'a'.repeat(2 ** 28)",
    "'a'.padEnd(2 ** 29, 'ab').length",
    "Array.from({length: 1e7}, () => ({}))",
    "[1, 2, 3, 4, 5, 6, 7, 8].reduce((s) => s + s + s + s + s + s + s + s, 'abcdefgh').length",
    "Array(1e6).fill('x'.repeat(100)).join('')",
    "JSON.parse('['.repeat(1e6))",
    "Array(2 ** 25).fill(1)",
    "BigInt('9'.repeat(5e6))",
    // Stack.
    "JSON.stringify([...Array(1e4)].reduce(a => [a], []))",
    "[...Array(5e4)].reduce(f => () => f(), () => 1)()",
    "Array(1e5).fill([]).flat(1e9).reduce((a) => [a], []).toString()",
    "RegExp('('.repeat(1e5)).test('')",
    // Results.
    "'x'.repeat(300000)",
    "Array(1e5).fill(1.5)",
    "[...Array(65)].reduce(a => [a], 1)",
];

/// The longest that a script may take: its time, the grace, and the same again on a machine that does
/// other things.
const PATIENCE: Duration = Duration::from_secs(20);

async fn evaluate(evaluator: &Evaluator, account: &str, script: &str) -> Result<Value, EvaluationError> {
    let template = Template::compile(&json!(format!("{{{{{script}}}}}"))).unwrap();
    evaluator.inputs(account, &template, &Map::new()).await
}

#[tokio::test]
async fn c_209_a_script_that_runs_too_long_is_a_fault() {
    let evaluator = Evaluator::new(command(), 1, Limits::default());
    for script in ["Array.from({length: 1e9}, (_, i) => i % 7).length", "Array(2 ** 32 - 1).join('ab')"] {
        let fault = evaluate(&evaluator, ACCOUNT, script).await.map_err(detail).unwrap_err();
        let limits = ["ran longer than 500 ms", "used more than 16777216 bytes of memory"];
        let faults = limits.map(|limit| {
            format!("Failed to evaluate the expression. Error: The script {limit}, in `{{{{{script}}}}}`.")
        });
        assert!(faults.contains(&fault), "{fault}");
    }
    let fault =
        evaluate(&evaluator, ACCOUNT, "/(x+x+)+y/.test('x'.repeat(50))").await.map_err(detail).unwrap_err();
    assert!(fault.contains("The script ran longer than 500 ms, in `"), "{fault}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_scripts_end_and_take_nobody_with_them() {
    let evaluator = Evaluator::new(command(), 2, Limits::default());
    let honest = Template::compile(&json!("{{data.list.map(i => i + 1).join(',')}}")).unwrap();
    let data = object(json!({"list": [1, 2, 3]}));
    for script in HOSTILE {
        let started = Instant::now();
        let hostile = evaluate(&evaluator, "hostile", script);
        // More honest requests than there are children, so that some wait behind the hostile one.
        let others = async {
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..8 {
                let (evaluator, honest, data) = (evaluator.clone(), honest.clone(), data.clone());
                tasks.spawn(async move { evaluator.inputs("honest", &honest, &data).await });
            }
            tasks.join_all().await
        };
        let (outcome, others) = tokio::join!(hostile, others);
        for value in others {
            assert_eq!(value, Ok(json!("2,3,4")), "while {script} ran");
        }
        assert!(started.elapsed() < PATIENCE, "{script} took {:?}", started.elapsed());
        match outcome {
            Err(EvaluationError::Unavailable { reason }) => panic!("{script}: {reason}"),
            Err(EvaluationError::Script { .. }) => {}
            Ok(value) => assert!(value.to_string().len() < 100, "{script} gave {value}"),
        }
        // The account itself goes on, too.
        assert_eq!(
            evaluate(&evaluator, "hostile", "[1].map(x => x)").await,
            Ok(json!([1])),
            "after {script}"
        );
    }
}

#[tokio::test]
async fn results_beyond_the_limits_are_faults() {
    let evaluator = Evaluator::new(command(), 1, Limits::default());
    let slow = evaluator.clone().without_fast_path();
    let too_large = "Failed to evaluate the expression. Error: The result is larger than 262144 bytes";
    let too_deep = "Failed to evaluate the expression. Error: The result is nested deeper than 64 levels";
    let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
    let fits = "x".repeat(262_142);
    for (input, data, expected) in [
        ("{{data.x}}", json!({"x": fits}), Ok(json!(fits))),
        ("{{data.x}}", json!({"x": format!("{fits}y")}), Err(too_large)),
        ("{{data.x}}{{data.y}}", json!({"x": fits, "y": ""}), Ok(json!(fits))),
        ("{{data.x}}{{data.y}}", json!({"x": fits, "y": "y"}), Err(too_large)),
        ("{{data.x}}{{data.y}}", json!({"x": "\"".repeat(131_072), "y": "y"}), Err(too_large)),
        ("{{data.x}}", json!({"x": [fits]}), Err(too_large)),
        ("{{data.x}}", json!({"x": nested(64)}), Ok(nested(64))),
        ("{{data.x}}", json!({"x": nested(65)}), Err(too_deep)),
        ("<{{data.x}}", json!({"x": nested(65)}), Ok(json!(format!("<{}", nested(65))))),
    ] {
        let template = Template::compile(&json!(input)).unwrap();
        for evaluator in [&evaluator, &slow] {
            let value = evaluator.inputs(ACCOUNT, &template, &object(data.clone())).await.map_err(detail);
            let expected = expected.clone().map_err(|text| format!("{text}, in `{input}`."));
            assert!(value == expected, "{input}");
        }
    }
}

#[tokio::test]
async fn all_results_together_have_a_limit() {
    let evaluator = Evaluator::new(command(), 1, Limits::default());
    let slow = evaluator.clone().without_fast_path();
    let template = Template::compile(&json!(vec!["{{data.x}}"; 20])).unwrap();
    let data = object(json!({"x": "x".repeat(250_000)}));
    for evaluator in [&evaluator, &slow] {
        let fault = evaluator.inputs(ACCOUNT, &template, &data).await.map_err(detail).unwrap_err();
        assert!(fault.ends_with("The results are together larger than 4194304 bytes."), "{fault}");
    }
}

#[tokio::test]
async fn many_long_scripts_in_one_request_have_their_time_each() {
    let evaluator = Evaluator::new(command(), 1, Limits::default());
    // Some 100 ms each; together far beyond the time of one.
    let slow = "{{Array.from({length: 3e5}, (_, i) => i % 7).length}}";
    let template = Template::compile(&json!(vec![slow; 12])).unwrap();
    let value = evaluator.inputs(ACCOUNT, &template, &Map::new()).await;
    assert_eq!(value, Ok(json!(vec![300_000; 12])));
}

#[tokio::test]
async fn many_slow_scripts_in_one_request_are_ended() {
    let evaluator =
        Evaluator::new(command(), 1, Limits { timeout: Duration::from_millis(50), ..Limits::default() });
    let slow = "{{Array.from({length: 2e4}, (_, i) => i % 7).length}}";
    let template = Template::compile(&json!(vec![slow; 2000])).unwrap();
    let fault = evaluator.inputs(ACCOUNT, &template, &Map::new()).await.map_err(detail).unwrap_err();
    assert!(fault.ends_with("The scripts ran together longer than 500 ms."), "{fault}");
}

#[tokio::test]
async fn the_fast_path_leaves_long_texts_to_the_children() {
    let evaluator =
        Evaluator::new(command(), 1, Limits { timeout: Duration::from_millis(50), ..Limits::default() });
    let data = object(json!({"long": "x".repeat(5_000_000), "list": []}));
    let leaves = vec![
        "{{data.long.toLowerCase().includes('y') || data.long + 'z' < data.long || `${long}` == 1}}";
        20_000
    ];
    let template = Template::compile(&json!(leaves)).unwrap();
    let started = Instant::now();
    let fault = evaluator.inputs(ACCOUNT, &template, &data).await.map_err(detail).unwrap_err();
    assert!(started.elapsed() < PATIENCE, "{fault} after {:?}", started.elapsed());
}
