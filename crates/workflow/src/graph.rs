//! A version's steps, flattened: what the engine runs on.
//!
//! Steps are numbered in the order they are written, the bodies of an `If` right after it. Positions are
//! stable because versions never change; jobs name their step by its position.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::inputs;
use crate::retry::RetryPolicy;
use crate::step::StepType;

/// A position in [`Graph::steps`].
pub type StepIndex = usize;

#[derive(Debug, Default)]
pub struct Graph {
    pub steps: Vec<Step>,
    sequences: Vec<Sequence>,
}

#[derive(Debug)]
pub struct Step {
    pub id: String,
    pub step_type: StepType,
    pub inputs: Value,
    pub outputs: Vec<(String, Value)>,
    pub routes: Routes,
    pub retry: Option<RetryPolicy>,
    /// First steps of the sequences in `do`; empty for every other type (U-63).
    pub bodies: Vec<StepIndex>,
    sequence: usize,
}

impl Step {
    /// It writes to the context: a Branch has no outputs, whatever it says (3.5.4).
    pub fn writes(&self) -> bool {
        self.step_type != StepType::Branch && !self.outputs.is_empty()
    }
}

/// Where a step leads (spec 3.4).
#[derive(Debug)]
pub enum Routes {
    None,
    Next(Target),
    /// Conditions in the order written; `Value::Null` marks the default.
    Select(Vec<(Value, Target)>),
}

/// A route's end, resolved: `None` where no such step exists (the path ends, X10).
pub type Target = Option<Landing>;

/// A step that a route leads to, and how many `If` bodies the path leaves on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Landing {
    pub step: StepIndex,
    pub leaves: usize,
}

/// One array of steps: the definition's own, or one of an `If`'s bodies.
#[derive(Debug)]
struct Sequence {
    owner: Option<usize>,
    members: HashMap<String, StepIndex>,
}

/// Routes before their targets are looked up.
enum Written {
    None,
    Next(String),
    Select(Vec<(String, Value)>),
}

impl Graph {
    /// Flattens validated steps. What validation would refuse is skipped here, never a panic: versions
    /// outlive the rules they were checked by.
    pub fn new(steps: &Value) -> Self {
        let mut graph = Self { steps: Vec::new(), sequences: Vec::new() };
        let mut written = Vec::new();
        graph.add_sequence(steps, None, &mut written);
        for (index, routes) in written.into_iter().enumerate() {
            graph.steps[index].routes = match routes {
                Written::None => Routes::None,
                Written::Next(id) => Routes::Next(graph.find(index, &id)),
                Written::Select(map) => Routes::Select(
                    map.into_iter().map(|(id, condition)| (condition, graph.find(index, &id))).collect(),
                ),
            };
        }
        graph
    }

    /// The entry step (U-14).
    pub fn entry(&self) -> Option<StepIndex> {
        (!self.steps.is_empty()).then_some(0)
    }

    /// The `If`s whose bodies the step is in, the innermost first.
    pub fn enclosing(&self, step: StepIndex) -> impl Iterator<Item = StepIndex> {
        let owner = |step: StepIndex| self.sequences[self.steps[step].sequence].owner;
        std::iter::successors(owner(step), move |&around| owner(around))
    }

    fn add_sequence(
        &mut self,
        steps: &Value,
        owner: Option<StepIndex>,
        written: &mut Vec<Written>,
    ) -> Option<StepIndex> {
        let sequence = self.sequences.len();
        self.sequences.push(Sequence { owner, members: HashMap::new() });
        let mut first = None;
        for step in steps.as_array().into_iter().flatten().filter_map(Value::as_object) {
            let index = self.add_step(step, sequence, written);
            first = first.or(Some(index));
        }
        first
    }

    fn add_step(
        &mut self,
        members: &Map<String, Value>,
        sequence: usize,
        written: &mut Vec<Written>,
    ) -> StepIndex {
        let index = self.steps.len();
        let id = inputs::text(members, "id").unwrap_or_default();
        let step_type = match inputs::get(members, "stepType").and_then(Value::as_str) {
            Some(name) => StepType::parse_stored(name).unwrap_or(StepType::Branch),
            None => StepType::Sms,
        };
        let step_inputs =
            inputs::get(members, "inputs").cloned().unwrap_or_else(|| Value::Object(Map::new()));
        written.push(written_routes(members, step_type, &step_inputs));
        self.sequences[sequence].members.entry(id.clone()).or_insert(index);
        self.steps.push(Step {
            id,
            step_type,
            inputs: step_inputs,
            outputs: match inputs::get(members, "outputs") {
                Some(Value::Object(outputs)) => outputs.clone().into_iter().collect(),
                _ => Vec::new(),
            },
            routes: Routes::None,
            retry: inputs::get(members, "retry").and_then(|retry| RetryPolicy::read(retry).ok()),
            bodies: Vec::new(),
            sequence,
        });
        if step_type == StepType::If {
            let bodies = inputs::get(members, "do").and_then(Value::as_array).cloned().unwrap_or_default();
            self.steps[index].bodies =
                bodies.iter().filter_map(|body| self.add_sequence(body, Some(index), written)).collect();
        }
        index
    }

    /// The step `id` as seen from `from`: in its own array first, then outwards (X9, U-16).
    fn find(&self, from: StepIndex, id: &str) -> Target {
        let mut sequence = self.steps[from].sequence;
        let mut leaves = 0;
        loop {
            let here = &self.sequences[sequence];
            if let Some(&step) = here.members.get(id) {
                return Some(Landing { step, leaves });
            }
            sequence = self.steps[here.owner?].sequence;
            leaves += 1;
        }
    }
}

/// `selectNextStep` wins when it is not empty (U-17).
fn written_routes(members: &Map<String, Value>, step_type: StepType, step_inputs: &Value) -> Written {
    if let Some(Value::Object(map)) = inputs::get(members, "selectNextStep")
        && !map.is_empty()
    {
        return Written::Select(map.clone().into_iter().collect());
    }
    let next = inputs::text(members, "nextStepId").filter(|id| !id.is_empty());
    let jump = || match (step_type, step_inputs) {
        (StepType::Jump, Value::Object(step_inputs)) => inputs::text(step_inputs, "stepId"),
        _ => None,
    };
    next.or_else(jump).map_or(Written::None, Written::Next)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn targets_are_found_in_the_own_array_first_then_outwards() {
        let graph = Graph::new(&json!([
            {"id": "a", "stepType": "If", "nextStepId": "x", "do": [[
                {"id": "x", "stepType": "branch", "selectNextStep": {"x": null, "b": "{{true}}", "nowhere": null}},
            ], []]},
            {"id": "b", "stepType": "Goto", "inputs": {"stepId": "a"}},
            {"id": "x", "stepType": "Wait", "do": [[{"id": "never"}]], "nextStepId": null, "selectNextStep": {}},
        ]));
        assert_eq!(graph.steps.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(), ["a", "x", "b", "x"]);
        assert_eq!(graph.steps[0].bodies, [1]);
        let Routes::Next(next) = graph.steps[0].routes else { panic!() };
        assert_eq!(next, Some(Landing { step: 3, leaves: 0 }));
        let Routes::Select(select) = &graph.steps[1].routes else { panic!() };
        let targets: Vec<Target> = select.iter().map(|(_, target)| *target).collect();
        assert_eq!(
            targets,
            [Some(Landing { step: 1, leaves: 0 }), Some(Landing { step: 2, leaves: 1 }), None]
        );
        let Routes::Next(next) = graph.steps[2].routes else { panic!() };
        assert_eq!(next, Some(Landing { step: 0, leaves: 0 }));
        assert!(matches!(graph.steps[3].routes, Routes::None));
    }
}
