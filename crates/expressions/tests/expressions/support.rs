//! Evaluators for tests.

use serde_json::{Map, Value};
use trunkline_expressions::{EvaluationError, Evaluator, EvaluatorCommand, Limits, Template};

pub const ACCOUNT: &str = "account";

pub fn command() -> EvaluatorCommand {
    EvaluatorCommand::new(env!("CARGO_BIN_EXE_evaluator_child"), [""; 0])
}

pub fn evaluator() -> Evaluator {
    Evaluator::new(command(), 1, Limits::default())
}

pub fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        other => panic!("{other} is no object"),
    }
}

/// Evaluates an input with the fast path and without it, and expects the same of both.
pub struct Both {
    fast: Evaluator,
    slow: Evaluator,
}

impl Both {
    pub fn new() -> Both {
        let fast = evaluator();
        Both { slow: fast.clone().without_fast_path(), fast }
    }

    pub async fn input(&self, input: Value, data: Value) -> Result<Value, String> {
        let template = Template::compile(&input).unwrap_or_else(|error| panic!("{input}: {error}"));
        let data = object(data);
        let fast = self.fast.inputs(ACCOUNT, &template, &data).await.map_err(detail);
        let slow = self.slow.inputs(ACCOUNT, &template, &data).await.map_err(detail);
        assert_eq!(fast, slow, "{input}");
        fast
    }

    /// The value of one script.
    pub async fn script(&self, script: &str, data: Value) -> Result<Value, String> {
        self.input(Value::from(format!("{{{{{script}}}}}")), data).await
    }
}

/// What a script's fault says; anything else fails the test.
#[expect(clippy::needless_pass_by_value, reason = "it is handed to `map_err`")]
pub fn detail(error: EvaluationError) -> String {
    match error {
        EvaluationError::Script { .. } => error.to_string(),
        EvaluationError::Unavailable { .. } => panic!("{error}"),
    }
}
