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
use std::time::Duration;

use serde_json::{Map, Value};
use trunkline_expressions::EvaluationError;
use trunkline_store::jobs::LeasedJob;
use trunkline_store::messages::Sent;
use trunkline_store::waits::Resume;
use trunkline_store::{Store, dispatches};
use trunkline_telemetry::traces::{self, Span, SpanKind};
use trunkline_workflow::context::{MAX_DEPTH, RESERVED, depth};
use trunkline_workflow::graph::{Landing, Step};
use trunkline_workflow::retry::RetryPolicy;
use trunkline_workflow::{DefinitionId, Outcome, route};

use crate::connectors::Connectors;
use crate::contexts::{Contexts, Here, NotHere};
use crate::definitions::{Compiled, CompiledStep, Definitions, Found};
use crate::history_policies::HistoryPolicies;
use crate::lease::{Backoff, Lost};
use crate::limits::Limits;
use crate::measure;
use crate::queue::{End, Held};
use crate::steps::{self, Activity, Input};
use crate::tell_history::Notes;
use crate::tools::{InterruptedSends, Tools};

/// U-07, bytes of JSON.
const MAX_CONTEXT: usize = 1 << 20;
/// Claims of one job: a step that takes its worker down every time must not go on for ever.
const MAX_ATTEMPTS: i32 = 50;
/// Claims after which a step is suspected of its workers' deaths.
const UNSUSPECTED: i32 = 5;
/// Of the pauses of one that is suspected.
const LONGEST_PAUSE: Duration = Duration::from_mins(2);
const INTERRUPTED: &str = "Step interrupted.";
/// The evaluator could not answer; its children are being started again.
const EVALUATOR_PAUSE: Duration = Duration::from_secs(1);
/// What waits for somebody to resume its definition looks by itself so often.
const WHILE_PAUSED: Duration = Duration::from_secs(86_400);

/// What became of a step, and the context if it was changed.
type Ran = (Outcome, Option<Map<String, Value>>);

pub(crate) struct Executor {
    pub(crate) store: Store,
    pub(crate) tools: Tools,
    pub(crate) definitions: Definitions,
    pub(crate) contexts: Contexts,
    pub(crate) connectors: Connectors,
    pub(crate) limits: Limits,
    pub(crate) policies: HistoryPolicies,
}

impl Executor {
    pub(crate) async fn execute(&self, held: &Held) -> End {
        let context = match self.contexts.get(&held.context, &held.job, &held.lease).await {
            Ok(context) => context,
            Err(NotHere::Outcome(outcome)) => return end(held, outcome),
            Err(NotHere::Lost) => return End::Abandoned,
        };
        match self.paused(held).await {
            Err(Lost) => return End::Abandoned,
            Ok(Some(definition)) => return self.wait_for_definition(held, definition).await,
            Ok(None) => {}
        }
        let Some(compiled) = self.find(held).await else { return End::Abandoned };
        let compiled = match compiled {
            Ok(compiled) => compiled,
            Err(outcome) => return end(held, outcome),
        };
        let mut notes = Notes::new();
        let Some((outcome, changed)) = self.run_traced(held, &context, &compiled, &mut notes).await else {
            return End::Abandoned;
        };
        let room = self.contexts.room_to_write(&outcome).await;
        let context = self.contexts.after(context, &outcome, changed);
        let outcome = without_nul(outcome);
        let attempt = self.tell(held, notes, &outcome).await;
        End::Outcome { outcome, graph: compiled.graph.clone(), context, attempt, room }
    }

    /// The paused definition for which the job waits: its own, or that of the step which started it.
    async fn paused(&self, held: &Held) -> Result<Option<DefinitionId>, Lost> {
        let job = &held.job;
        if self.limits.is_paused(&job.account, job.definition) {
            return Ok(Some(job.definition));
        }
        if job.definition != dispatches::DEFINITION || !self.limits.is_any_paused(&job.account) {
            return Ok(None);
        }
        let mut pause = Backoff::default();
        loop {
            match self.store.definition_of_parent(job.instance).await {
                Ok(parent) => return Ok(parent.filter(|id| self.limits.is_paused(&job.account, *id))),
                Err(_) if held.lease.is_lost() => return Err(Lost),
                Err(error) => {
                    pause.report(&error, "cannot find out who started a workflow; trying again");
                    pause.wait().await;
                }
            }
        }
    }

    /// Nothing of the job is done until the definition is resumed.
    async fn wait_for_definition(&self, held: &Held, definition: DefinitionId) -> End {
        let job = &held.job;
        let mut pause = Backoff::default();
        loop {
            let (account, path) = (&job.account, job.path.path);
            match self.store.wait_for_definition(account, definition, job.id(), path).await {
                Ok(()) => {
                    let message = "The definition is paused.".to_owned();
                    return end(held, Outcome::Postponed { after: WHILE_PAUSED, message });
                }
                Err(_) if held.lease.is_lost() => return End::Abandoned,
                Err(error) => {
                    pause.report(&error, "cannot write down that a job waits; trying again");
                    pause.wait().await;
                }
            }
        }
    }

    /// The compiled version, asked for until the database answers. `None`: the worker is no longer believed.
    async fn find(&self, held: &Held) -> Option<Result<Arc<Compiled>, Outcome>> {
        tokio::select! {
            biased;
            found = self.find_patiently(&held.job) => Some(found),
            () = held.lease.until_lost() => None,
        }
    }

    async fn find_patiently(&self, job: &LeasedJob) -> Result<Arc<Compiled>, Outcome> {
        let mut pause = Backoff::default();
        loop {
            match self.definitions.get(&self.store, &job.account, job.definition, job.version).await {
                Ok(Found::Compiled(compiled)) => return Ok(compiled),
                Ok(Found::Gone) => {
                    let message = "The definition version of this workflow was deleted.";
                    return Err(failed(message.to_owned()));
                }
                Ok(Found::Sealed) => {
                    let message = "The definition is sealed with another master key.".to_owned();
                    return Err(Outcome::Postponed { after: steps::key_pause(job), message });
                }
                Err(error) if !error.may_pass() => {
                    tracing::error!(error = %error, definition.id = %job.definition, "a definition cannot be read");
                    return Err(failed("The definition cannot be read.".to_owned()));
                }
                Err(error) => {
                    pause.report(&error, "cannot load a definition; trying again");
                    pause.wait().await;
                }
            }
        }
    }

    /// With a span, if the instance was started under a trace or somebody collects spans.
    async fn run_traced(
        &self,
        held: &Held,
        context: &Here,
        compiled: &Compiled,
        notes: &mut Notes,
    ) -> Option<Ran> {
        let job = &held.job;
        if job.trace.is_none() && !traces::is_exporting() {
            return self.run(held, context, compiled, notes).await;
        }
        let step = compiled.graph.steps.get(job.path.step);
        let name = step.map_or("step", |step| step.step_type.name());
        let mut span = Span::begin(SpanKind::Consumer, name, job.trace.as_deref());
        span.set("trunkline.account.id", job.account.as_str().to_owned());
        span.set("trunkline.instance.id", job.instance.to_string());
        span.set("trunkline.definition.id", job.definition.to_string());
        span.set("trunkline.definition.version", i64::from(job.version));
        span.set("trunkline.step.id", step.map(|step| step.id.clone()).unwrap_or_default());
        span.set("trunkline.attempt", i64::from(job.path.attempt));
        let run = Box::pin(self.run(held, context, compiled, notes));
        let ran = match span.context().cloned() {
            Some(own) => own.scope(run).await,
            None => run.await,
        };
        match &ran {
            Some((outcome, _)) => {
                let outcome = measure::name(outcome);
                span.set("trunkline.outcome", outcome);
                if outcome == measure::FAILED {
                    span.fail("");
                }
            }
            None => span.set("trunkline.outcome", measure::ABANDONED),
        }
        ran
    }

    /// `None`: the worker is no longer believed.
    async fn run(&self, held: &Held, context: &Here, compiled: &Compiled, notes: &mut Notes) -> Option<Ran> {
        let job = &held.job;
        let unchanged = |outcome| Some((outcome, None));
        let (step, parts) = match (compiled.graph.steps.get(job.path.step), compiled.steps.get(job.path.step))
        {
            (Some(step), Some(Ok(parts))) => (step, parts),
            (_, Some(Err(message))) => return unchanged(failed(message.clone())),
            _ => return unchanged(failed("The step does not exist.".to_owned())),
        };
        let policy = self.retry_policy(step);
        if job.path.attempt > MAX_ATTEMPTS + policy.map_or(0, |policy| policy.max_attempts) {
            return unchanged(failed(INTERRUPTED.to_owned()));
        }
        let resume = match job.resume.as_deref().map(Resume::parse).transpose() {
            Ok(resume) => resume,
            Err(error) => return unchanged(failed(error.to_string())),
        };
        let activity = match resume {
            Some(Resume::Interrupted) if self.must_not_repeat(step) => {
                return unchanged(failed(INTERRUPTED.to_owned()));
            }
            Some(Resume::Interrupted) if let Some(after) = pause_of_suspect(job.path.attempt) => {
                let message = "Its workers died; it is tried again later.".to_owned();
                return unchanged(Outcome::Postponed { after, message });
            }
            None | Some(Resume::Interrupted) => match self.act(held, context, (step, parts), notes).await {
                Ok(activity) => activity,
                Err(outcome) => return unchanged(outcome),
            },
            Some(resume) => steps::resume(step.step_type, &resume),
        };
        let try_again = |after: Option<Duration>, message: &str| {
            let pause = policy?.pause(job.path.attempt)?;
            let after = pause.max(after.unwrap_or_default().min(steps::LONGEST_ASKED));
            Some(Outcome::Retry { after, message: message.to_owned() })
        };
        let (result, timed_out) = match activity {
            Activity::Done(result) => {
                notes.look_for_message(&result);
                (result, false)
            }
            Activity::TimedOut(result) => (result, true),
            Activity::Sent { result, sent } => {
                if let Some(sent) = sent {
                    notes.sent(&sent.id);
                    if !self.record(held, &sent).await {
                        return None;
                    }
                }
                (result, false)
            }
            Activity::Unwelcome { result, after, message } => match try_again(after, &message) {
                Some(retry) => return unchanged(retry),
                None => (result, false),
            },
            Activity::EnterBodies => return unchanged(Outcome::EnterBodies),
            Activity::Wait { wait, due_after } => return unchanged(Outcome::Waiting { wait, due_after }),
            Activity::Retry { after, message } if policy.is_some() => {
                return unchanged(try_again(after, &message).unwrap_or_else(|| failed(message)));
            }
            Activity::Retry { after, message } => {
                return unchanged(steps::retry_or_fail(job.path.attempt, after, message));
            }
            // A provider may have taken it: only the author of the step may ask for another try.
            Activity::Failed { message } if step.retry.is_some() => {
                return unchanged(try_again(None, &message).unwrap_or_else(|| failed(message)));
            }
            Activity::Failed { message } => return unchanged(failed(message)),
            Activity::Postponed { after, message } => {
                return unchanged(Outcome::Postponed { after, message });
            }
            Activity::Abandoned => return None,
        };
        self.finish(held, context, step, parts, (&result, timed_out)).await
    }

    /// Inputs, then the activity. The error is an outcome: scripts fail the same way every time.
    async fn act(
        &self,
        held: &Held,
        context: &Map<String, Value>,
        (step, parts): (&Step, &CompiledStep),
        notes: &mut Notes,
    ) -> Result<Activity, Outcome> {
        let job = &held.job;
        let value = match self.tools.evaluator.inputs(job.account.as_str(), &parts.inputs, context).await {
            Ok(value) => value,
            Err(error @ EvaluationError::Script { .. }) => return Err(failed(error.to_string())),
            Err(error @ EvaluationError::Unavailable { .. }) => {
                return Err(Outcome::Postponed { after: EVALUATOR_PAUSE, message: error.to_string() });
            }
        };
        self.note_inputs(held, step.step_type, &value, notes).await;
        let input = Input {
            step,
            value,
            recorder: notes.recorder(),
            data: context,
            job,
            tools: &self.tools,
            store: &self.store,
            connectors: &self.connectors,
            limits: &self.limits,
            lease: &held.lease,
            since: held.since,
        };
        Ok(steps::execute(step.step_type, input).await)
    }

    /// The step's own, else the installation's for steps that send.
    fn retry_policy<'a>(&'a self, step: &'a Step) -> Option<&'a RetryPolicy> {
        let installed = self.tools.rules.send_retry.as_ref().filter(|_| steps::is_send(step.step_type));
        step.retry.as_ref().or(installed)
    }

    fn must_not_repeat(&self, step: &Step) -> bool {
        self.tools.rules.interrupted_sends == InterruptedSends::Fault && steps::is_send(step.step_type)
    }

    /// Writes down what was sent before anything that follows can wait for a receipt of it. The send has
    /// happened: a database that is down is waited for. `false`: the worker is no longer believed.
    async fn record(&self, held: &Held, sent: &Sent) -> bool {
        let mut pause = Backoff::default();
        loop {
            match self.store.record_sent(&held.job.account, held.job.id(), sent).await {
                Ok(()) => return true,
                Err(error) if !error.may_pass() => {
                    tracing::error!(error = %error, job.id = %held.job.id().as_uuid(), "cannot keep a sent message");
                    return true;
                }
                Err(_) if held.lease.is_lost() => return false,
                Err(error) => {
                    pause.report(&error, "cannot write down what was sent; trying again");
                    pause.wait().await;
                }
            }
        }
    }

    /// Outputs, then routes (spec 3.3, 5 and 6). `None`: the worker is no longer believed.
    async fn finish(
        &self,
        held: &Held,
        context: &Here,
        step: &Step,
        parts: &CompiledStep,
        (result, timed_out): (&Value, bool),
    ) -> Option<Ran> {
        let text =
            || result.as_object().is_some_and(|members| !members.is_empty()).then(|| result.to_string());
        let after = &parts.after;
        if after.outputs.is_empty() && after.conditions.is_empty() {
            let next = choose_routes(held, step, &[]);
            return Some((Outcome::Completed { result: text(), data: None, timed_out, next }, None));
        }
        let account = held.job.account.as_str();
        // The activity has happened: an evaluator that is being started again is waited for, because a
        // retry would do the step twice.
        let evaluated = loop {
            match self.tools.evaluator.after(account, after, context, result).await {
                Ok(evaluated) => break evaluated,
                Err(error @ EvaluationError::Script { .. }) => {
                    let message = error.to_string();
                    return Some((Outcome::Failed { message, result: text() }, None));
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
            return Some((Outcome::Completed { result: text(), data: None, timed_out, next }, None));
        }
        let assigned = evaluated.assigned;
        match context.compute(move |context| change(context, assigned)).await {
            Ok((data, changed)) => {
                let outcome = Outcome::Completed { result: text(), data: Some(data), timed_out, next };
                Some((outcome, Some(changed)))
            }
            Err(Excess::Depth) => {
                let message = format!("Workflow context is nested deeper than {MAX_DEPTH} levels.");
                Some((Outcome::Failed { message, result: None }, None))
            }
            Err(Excess::Length) => {
                let message = "Workflow context is larger than 1 MiB.".to_owned();
                Some((Outcome::Failed { message, result: text() }, None))
            }
        }
    }
}

/// What is wrong with a changed context.
enum Excess {
    Depth,
    Length,
}

fn change(
    context: &Map<String, Value>,
    assigned: Vec<(String, Value)>,
) -> Result<(String, Map<String, Value>), Excess> {
    let mut changed = context.clone();
    for (key, value) in assigned {
        debug_assert!(!RESERVED.contains(&key.as_str()));
        changed.insert(key, value);
    }
    if changed.values().any(|value| depth(value) >= MAX_DEPTH) {
        return Err(Excess::Depth);
    }
    let data = serde_json::to_string(&changed).expect("a map of JSON values is JSON");
    if data.len() > MAX_CONTEXT { Err(Excess::Length) } else { Ok((data, changed)) }
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
fn end(held: &Held, outcome: Outcome) -> End {
    End::Outcome {
        outcome: without_nul(outcome),
        graph: Arc::default(),
        context: held.context.clone(),
        attempt: None,
        room: None,
    }
}

/// Whose workers died again and again may be why, or was only held beside the one that is, or they die of something
/// else. By chance it runs at once or some time later, the later the more often it was interrupted: so those that are
/// innocent come through while the guilty one waits.
fn pause_of_suspect(attempt: i32) -> Option<Duration> {
    let suspicion = u32::try_from(attempt - UNSUSPECTED).ok().filter(|suspicion| *suspicion > 0)?;
    let longest = Duration::from_secs(1 << suspicion.min(16)).min(LONGEST_PAUSE);
    rand::random::<bool>().then(|| longest.mul_f64(rand::random_range(0.0..1.0)))
}

fn failed(message: String) -> Outcome {
    Outcome::Failed { message, result: None }
}

/// PostgreSQL's text holds no NUL; JSON texts escape it, messages may carry it.
fn without_nul(mut outcome: Outcome) -> Outcome {
    if let Outcome::Failed { message, .. }
    | Outcome::Retry { message, .. }
    | Outcome::Postponed { message, .. } = &mut outcome
    {
        message.retain(|c| c != '\0');
    }
    outcome
}
