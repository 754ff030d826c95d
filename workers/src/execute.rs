//! One job, from what was claimed to its outcome:
//!
//! ```text
//! inputs ──► the step's activity ──► outputs, in order ──► conditions ──► Outcome
//!               │ must wait, enter bodies, be tried again, or failed
//!               └──────────────────────────────────────────────────────► Outcome
//! ```
//!
//! A job that was parked comes back with what ended its wait, and goes on behind the activity.

use std::sync::Arc;

use serde_json::{Map, Value};
use trunkline_expressions::EvaluationError;
use trunkline_store::waits::Resume;
use trunkline_store::{Store, StoreError};
use trunkline_workflow::context::{MAX_DEPTH, RESERVED, depth};
use trunkline_workflow::graph::{Landing, Step};
use trunkline_workflow::{Outcome, route};

use crate::definitions::{Compiled, CompiledStep, Definitions};
use crate::lease::Backoff;
use crate::queue::{End, Held};
use crate::steps::{self, Activity, Input};
use crate::tools::Tools;

/// U-07, bytes of JSON.
const MAX_CONTEXT: usize = 1 << 20;
/// Claims of one job: a step that takes its worker down every time must not go on for ever.
const MAX_ATTEMPTS: i32 = 20;
/// The evaluator could not answer; its children are being started again.
const EVALUATOR_PAUSE: std::time::Duration = std::time::Duration::from_secs(1);

#[derive(Clone)]
pub(crate) struct Executor {
    pub(crate) store: Store,
    pub(crate) tools: Tools,
    pub(crate) definitions: Definitions,
}

impl Executor {
    pub(crate) async fn execute(&self, held: &Held) -> End {
        let context = match &held.context {
            Ok(context) => context,
            Err(message) => return fault(held, message.clone()),
        };
        let Some(compiled) = self.find(held).await else { return End::Abandoned };
        let compiled = match compiled {
            Ok(compiled) => compiled,
            Err(message) => return fault(held, message),
        };
        match self.run(held, context, &compiled).await {
            Some((outcome, context)) => End::Outcome {
                outcome: without_nul(outcome),
                graph: compiled.graph.clone(),
                context: Ok(context),
            },
            None => End::Abandoned,
        }
    }

    /// The compiled version, asked for until the database answers. `None`: the worker is no longer believed.
    async fn find(&self, held: &Held) -> Option<Result<Arc<Compiled>, String>> {
        let job = &held.job;
        let mut pause = Backoff::default();
        loop {
            match self.definitions.get(&self.store, &job.account, job.definition, job.version).await {
                Ok(Some(compiled)) => return Some(Ok(compiled)),
                Ok(None) => {
                    return Some(Err("The definition version of this workflow was deleted.".to_owned()));
                }
                Err(StoreError::Damaged(detail)) => return Some(Err(detail)),
                Err(error) => {
                    if held.lease.is_lost() {
                        return None;
                    }
                    pause.report(&error, "cannot load a definition; trying again");
                    pause.wait().await;
                }
            }
        }
    }

    /// `None`: the worker is no longer believed.
    async fn run(
        &self,
        held: &Held,
        context: &Arc<Map<String, Value>>,
        compiled: &Compiled,
    ) -> Option<(Outcome, Arc<Map<String, Value>>)> {
        let job = &held.job;
        let unchanged = |outcome| Some((outcome, context.clone()));
        let (step, parts) = match (compiled.graph.steps.get(job.path.step), compiled.steps.get(job.path.step))
        {
            (Some(step), Some(Ok(parts))) => (step, parts),
            (_, Some(Err(message))) => return unchanged(failed(message.clone())),
            _ => return unchanged(failed("The step does not exist.".to_owned())),
        };
        if job.path.attempt > MAX_ATTEMPTS {
            return unchanged(failed("Step interrupted.".to_owned()));
        }
        let activity = match &job.resume {
            Some(resume) => match Resume::parse(resume) {
                Ok(resume) => steps::resume(step.step_type, resume),
                Err(error) => return unchanged(failed(error.to_string())),
            },
            None => match self.tools.evaluator.inputs(job.account.as_str(), &parts.inputs, context).await {
                Ok(value) => {
                    if steps::has_side_effect(step.step_type) && held.lease.hold().await.is_err() {
                        return None;
                    }
                    let input = Input { step, value, job, tools: &self.tools };
                    steps::execute(step.step_type, input).await
                }
                Err(error @ EvaluationError::Script { .. }) => return unchanged(failed(error.to_string())),
                Err(error @ EvaluationError::Unavailable { .. }) => {
                    return unchanged(Outcome::Retry { after: EVALUATOR_PAUSE, message: error.to_string() });
                }
            },
        };
        let (result, timed_out) = match activity {
            Activity::Done(result) => (result, false),
            Activity::TimedOut(result) => (result, true),
            Activity::EnterBodies => return unchanged(Outcome::EnterBodies),
            Activity::Wait { wait, due_after } => return unchanged(Outcome::Waiting { wait, due_after }),
            Activity::Retry { after, message } => {
                return unchanged(steps::retry_or_fail(job.path.attempt, after, message));
            }
            Activity::Failed { message } => return unchanged(failed(message)),
        };
        self.finish(held, context, step, parts, (&result, timed_out)).await
    }

    /// Outputs, then routes (spec 3.3, 5 and 6). `None`: the worker is no longer believed.
    async fn finish(
        &self,
        held: &Held,
        context: &Arc<Map<String, Value>>,
        step: &Step,
        parts: &CompiledStep,
        (result, timed_out): (&Value, bool),
    ) -> Option<(Outcome, Arc<Map<String, Value>>)> {
        let unchanged = context.clone();
        let text =
            || result.as_object().is_some_and(|members| !members.is_empty()).then(|| result.to_string());
        let after = &parts.after;
        if after.outputs.is_empty() && after.conditions.is_empty() {
            let next = choose_routes(held, step, &[]);
            return Some((Outcome::Completed { result: text(), data: None, timed_out, next }, unchanged));
        }
        let account = held.job.account.as_str();
        // The activity has happened: an evaluator that is being started again is waited for, because a
        // retry would do the step twice.
        let evaluated = loop {
            match self.tools.evaluator.after(account, after, context, result).await {
                Ok(evaluated) => break evaluated,
                Err(error @ EvaluationError::Script { .. }) => {
                    let message = error.to_string();
                    return Some((Outcome::Failed { message, result: text() }, unchanged));
                }
                Err(EvaluationError::Unavailable { .. }) if held.lease.is_lost() => return None,
                Err(error @ EvaluationError::Unavailable { .. }) => {
                    tracing::warn!(error = %error, "the evaluator is unavailable; trying again");
                    tokio::time::sleep(EVALUATOR_PAUSE).await;
                }
            }
        };
        let next = choose_routes(held, step, &evaluated.truths);
        if evaluated.assigned.is_empty() {
            return Some((Outcome::Completed { result: text(), data: None, timed_out, next }, unchanged));
        }
        let mut changed = Map::clone(context);
        for (key, value) in evaluated.assigned {
            debug_assert!(!RESERVED.contains(&key.as_str()));
            changed.insert(key, value);
        }
        if changed.values().any(|value| depth(value) >= MAX_DEPTH) {
            let message = format!("Workflow context is nested deeper than {MAX_DEPTH} levels.");
            return Some((Outcome::Failed { message, result: None }, unchanged));
        }
        let data = serde_json::to_string(&changed).expect("a map of JSON values is JSON");
        if data.len() > MAX_CONTEXT {
            let message = "Workflow context is larger than 1 MiB.".to_owned();
            return Some((Outcome::Failed { message, result: text() }, unchanged));
        }
        Some((Outcome::Completed { result: text(), data: Some(data), timed_out, next }, Arc::new(changed)))
    }
}

fn choose_routes(held: &Held, step: &Step, truths: &[bool]) -> Vec<Landing> {
    if route::selects_missing(&step.routes, truths) {
        tracing::warn!(
            instance.id = %held.job.instance,
            definition.id = %held.job.definition,
            step.id = step.id,
            "a route leads to a step that does not exist; the path ends"
        );
    }
    route::select(&step.routes, truths)
}

/// A job whose step cannot even be looked at.
fn fault(held: &Held, message: String) -> End {
    let outcome = without_nul(failed(message));
    End::Outcome { outcome, graph: Arc::default(), context: held.context.clone() }
}

fn failed(message: String) -> Outcome {
    Outcome::Failed { message, result: None }
}

/// PostgreSQL's text holds no NUL; JSON texts escape it, messages may carry it.
fn without_nul(mut outcome: Outcome) -> Outcome {
    if let Outcome::Failed { message, .. } | Outcome::Retry { message, .. } = &mut outcome {
        message.retain(|c| c != '\0');
    }
    outcome
}
