//! Definition versions, compiled once: their steps flattened, their expressions parsed.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use trunkline_expressions::{After, ScriptError, Template};
use trunkline_store::{Store, StoreError};
use trunkline_workflow::graph::Step;
use trunkline_workflow::step::StepType;
use trunkline_workflow::{AccountId, DefinitionId, Graph, Version, inputs, route};

use crate::lease::within;
use crate::remembered::{Remembered, TRY};

/// Versions remembered.
const CAPACITY: usize = 2_000;

#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) graph: Arc<Graph>,
    /// One per step, in the graph's order. The error is what the step faults with.
    pub(crate) steps: Vec<Result<CompiledStep, String>>,
}

#[derive(Debug)]
pub(crate) struct CompiledStep {
    pub(crate) inputs: Template,
    pub(crate) after: After,
}

type Key = (AccountId, DefinitionId, Version);

/// What a look for a version came to.
#[derive(Debug, Clone)]
pub(crate) enum Found {
    Compiled(Arc<Compiled>),
    /// The version was deleted.
    Gone,
    /// It is sealed with a master key that this worker does not have, yet.
    Sealed,
}

/// How long a version that is sealed is not asked for again: all its instances come here.
const SEALED_FOR: Duration = Duration::from_secs(3);

#[derive(Debug, Clone)]
pub(crate) struct Definitions {
    found: Remembered<Key, Found>,
}

impl Default for Definitions {
    fn default() -> Self {
        Self { found: Remembered::new(CAPACITY) }
    }
}

impl Definitions {
    pub(crate) async fn get(
        &self,
        store: &Store,
        account: &AccountId,
        definition: DefinitionId,
        version: Version,
    ) -> Result<Found, StoreError> {
        let key = (account.clone(), definition, version);
        let find = async || {
            let found = find(store, account, definition, version).await?;
            let trust = match found {
                Found::Compiled(_) => Duration::MAX,
                Found::Gone => Duration::ZERO,
                Found::Sealed => SEALED_FOR,
            };
            Ok((found, trust))
        };
        self.found.get(key, find).await
    }
}

async fn find(
    store: &Store,
    account: &AccountId,
    definition: DefinitionId,
    version: Version,
) -> Result<Found, StoreError> {
    match within(TRY, store.load_version(account, definition, version)).await {
        Ok(Some(steps)) => {
            let steps =
                serde_json::from_str(&steps).map_err(|error| StoreError::Damaged(error.to_string()))?;
            Ok(Found::Compiled(Arc::new(Compiled::new(&steps))))
        }
        Ok(None) => Ok(Found::Gone),
        Err(error) if error.lacks_master_key() => {
            tracing::error!(error = %error, definition.id = %definition, "a definition cannot be read");
            Ok(Found::Sealed)
        }
        Err(error) => Err(error),
    }
}

impl Compiled {
    fn new(steps: &Value) -> Self {
        let graph = Graph::new(steps);
        let steps = graph
            .steps
            .iter()
            .map(|step| {
                compile(step).map_err(|error| format!("Failed to evaluate the expression. Error: {error}"))
            })
            .collect();
        Self { graph: Arc::new(graph), steps }
    }
}

fn compile(step: &Step) -> Result<CompiledStep, ScriptError> {
    // A Branch has no inputs and no outputs (3.5.4).
    let outputs = if step.step_type == StepType::Branch { &[][..] } else { &step.outputs };
    let outputs = outputs.iter().map(|(key, value)| Ok((key.clone(), Template::compile_output(value)?)));
    let conditions = route::conditions(&step.routes).map(Template::compile_condition);
    Ok(CompiledStep {
        inputs: compile_inputs(step)?,
        after: After {
            outputs: outputs.collect::<Result<_, _>>()?,
            conditions: conditions.collect::<Result<_, _>>()?,
        },
    })
}

/// The condition of an `If` is a condition (3.4), not a value.
fn compile_inputs(step: &Step) -> Result<Template, ScriptError> {
    match step.step_type {
        StepType::Branch => return Template::compile(&Value::Null),
        StepType::If => {}
        _ => return Template::compile(&step.inputs),
    }
    let none = Map::new();
    let members = step.inputs.as_object().unwrap_or(&none);
    Template::compile_condition(inputs::get(members, "condition").unwrap_or(&Value::Bool(false)))
}
