//! What an attempt leaves to the history besides its outcome: what it had to do, what it sent and got.
//!
//! Steps that reach out tell of every attempt, the others of those that did not work; so what a step costs that only
//! decides or waits stays what it is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use trunkline_connectors::recording::{Recorder, Redaction};
use trunkline_store::attempts::{Attempt, AttemptOutcome};
use trunkline_store::clock;
use trunkline_workflow::Outcome;
use trunkline_workflow::step::StepType;

use crate::execute::Executor;
use crate::queue::Held;
use crate::steps;

/// Jobs of an instance whose bodies are kept: one that goes round in circles repeats itself.
const WITH_BODIES: i32 = 1_000;
/// After that long a step that is put off again and again tells of it about once in [`SELDOM`].
const PATIENCE: Duration = Duration::from_secs(300);
const SELDOM: u64 = 600;

/// What is known of an attempt while it is under way.
pub(crate) struct Notes {
    begun: Instant,
    recorder: Option<Arc<Recorder>>,
    /// Of a step whose attempts are told only if they do not work.
    inputs: Option<Value>,
    message_id: Option<String>,
}

impl Notes {
    pub(crate) fn new() -> Self {
        Self { begun: Instant::now(), recorder: None, inputs: None, message_id: None }
    }

    pub(crate) fn recorder(&self) -> Option<&Arc<Recorder>> {
        self.recorder.as_ref()
    }

    pub(crate) fn sent(&mut self, id: &str) {
        self.message_id = Some(id.to_owned());
    }

    /// What providers call something that they took, or we do.
    pub(crate) fn look_for_message(&mut self, result: &Value) {
        let id = result.get("message_uuid").or_else(|| result.get("ticketId")).and_then(Value::as_str);
        self.message_id = self.message_id.take().or_else(|| id.map(str::to_owned));
    }
}

impl Executor {
    /// The inputs are known, and the step begins. Boxed, as what sends is.
    pub(crate) async fn note_inputs(
        &self,
        held: &Held,
        step_type: StepType,
        inputs: &Value,
        notes: &mut Notes,
    ) {
        if steps::reaches_out(step_type) {
            notes.recorder = Box::pin(self.recorder(held)).await;
            if let Some(recorder) = &notes.recorder {
                recorder.inputs(inputs);
            }
        } else if !matches!(step_type, StepType::Branch | StepType::Jump) {
            notes.inputs = Some(inputs.clone());
        }
    }

    /// `None`: nobody can tell what may be kept, so nothing is.
    async fn recorder(&self, held: &Held) -> Option<Arc<Recorder>> {
        let job = &held.job;
        let policy = self.policies.find(&job.account, &held.lease).await?;
        let limit = if job.path.n > WITH_BODIES { 0 } else { self.tools.rules.history.0 };
        let redaction = Redaction::new(&policy, self.store.history_key(&job.account), limit);
        Some(Arc::new(Recorder::new(redaction)))
    }

    /// What the history is told; `None` of most.
    pub(crate) async fn tell(&self, held: &Held, notes: Notes, outcome: &Outcome) -> Option<Box<Attempt>> {
        let is_told = match outcome {
            // A wait that is over did nothing; and of a postponed step that does nothing there is nothing to tell.
            Outcome::Completed { .. } | Outcome::Waiting { .. } | Outcome::EnterBodies => {
                notes.recorder.is_some()
            }
            Outcome::Postponed { after, .. } => notes.recorder.is_some() && !is_old_news(held, *after),
            Outcome::Retry { .. } | Outcome::Failed { .. } => true,
        };
        if is_told { Some(Box::pin(self.describe(held, notes, outcome)).await) } else { None }
    }

    async fn describe(&self, held: &Held, mut notes: Notes, outcome: &Outcome) -> Box<Attempt> {
        let (kind, error, outputs) = match outcome {
            Outcome::Completed { result, .. } => (AttemptOutcome::Completed, None, result.as_deref()),
            Outcome::Waiting { .. } | Outcome::EnterBodies => (AttemptOutcome::Waiting, None, None),
            Outcome::Retry { message, .. } => (AttemptOutcome::Retried, Some(message.as_str()), None),
            Outcome::Postponed { message, .. } => (AttemptOutcome::Postponed, Some(message.as_str()), None),
            Outcome::Failed { message, result } => {
                (AttemptOutcome::Failed, Some(message.as_str()), result.as_deref())
            }
        };
        let took = notes.begun.elapsed();
        if notes.recorder.is_none() {
            notes.recorder = self.recorder(held).await;
            if let (Some(recorder), Some(inputs)) = (&notes.recorder, notes.inputs.take()) {
                recorder.inputs(&inputs);
            }
        }
        let recorded = notes.recorder.map(|recorder| recorder.finish(outputs, error));
        let (detail, error) = recorded.map_or((None, None), |told| (Some(told.detail), told.error));
        Box::new(Attempt { outcome: kind, took, error, message_id: notes.message_id, detail })
    }
}

/// A provider may put a message off for days, every second.
fn is_old_news(held: &Held, after: Duration) -> bool {
    let since = held.job.path.started_at.and_then(|at| (clock::now() - at).to_std().ok());
    since.is_some_and(|since| since > PATIENCE && since.as_secs() % SELDOM > after.as_secs())
}
