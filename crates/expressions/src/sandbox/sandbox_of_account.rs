//! The QuickJS context of one account.

use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rquickjs::{CatchResultExt as _, Context, Ctx, Function, Object, Persistent, Runtime, Value};

use super::clock::{Clock, processor_time};
use super::helpers::helpers;
use super::result_json::result_json;
use crate::Limits;
use crate::native::Excess;
use crate::protocol::Action;
use crate::script::BUILTINS;

/// More functions than an account's definitions use at a time; then they are compiled anew.
const MAX_FUNCTIONS: usize = 1024;

/// The parent gets a sign of life when scripts that are done took longer than this together.
const PROGRESS_AFTER: Duration = Duration::from_millis(20);

/// Why an evaluation has no results.
pub(super) enum Failure {
    /// Functions that were not sent are not here either.
    Missing,
    /// The script is at fault.
    Fault(String),
    /// The script was stopped at a limit, and the sandbox cannot be used any more.
    Limit { detail: String, slow: bool },
    /// The parent is gone.
    Io(io::Error),
}

impl Failure {
    fn limit(detail: &(impl ToString + ?Sized)) -> Failure {
        Failure::Limit { detail: detail.to_string(), slow: false }
    }
}

impl From<rquickjs::Error> for Failure {
    fn from(error: rquickjs::Error) -> Failure {
        match error {
            rquickjs::Error::Allocation => Failure::limit(&error),
            other => Failure::Fault(other.to_string()),
        }
    }
}

/// What is saved beyond one use of a context.
type Kit = Persistent<Object<'static>>;
type Functions = HashMap<u64, Persistent<Function<'static>>>;

/// The values are dropped before the context, and that before the runtime.
pub(super) struct Sandbox {
    functions: Functions,
    kit: Kit,
    context: Context,
    runtime: Runtime,
    clock: Rc<Clock>,
    limits: Limits,
}

impl Sandbox {
    pub fn new(limits: Limits) -> io::Result<Sandbox> {
        Sandbox::build(limits).map_err(|error| io::Error::other(format!("no sandbox could be made: {error}")))
    }

    fn build(limits: Limits) -> Result<Sandbox, String> {
        let text = |error: rquickjs::Error| error.to_string();
        let runtime = Runtime::new().map_err(text)?;
        runtime.set_max_stack_size(limits.stack_bytes);
        let context = Context::full(&runtime).map_err(text)?;
        let kit = context.with(|ctx| {
            let kit = lock_down(&ctx).catch(&ctx).map_err(|error| error.to_string())?;
            Ok::<Kit, String>(Persistent::save(&ctx, kit))
        })?;
        let empty = usize::try_from(runtime.memory_usage().malloc_size).unwrap_or(0);
        runtime.set_memory_limit(empty + limits.memory_bytes);
        let clock = Rc::new(Clock::new(limits.timeout));
        let of_handler = Rc::clone(&clock);
        runtime.set_interrupt_handler(Some(Box::new(move || of_handler.must_end())));
        Ok(Sandbox { functions: HashMap::new(), kit, context, runtime, clock, limits })
    }

    /// Does these actions in order and answers with the results of the calls as JSON.
    pub fn evaluate(
        &mut self,
        data: &[u8],
        step: &[u8],
        actions: &[Action<'_>],
        mut progress: impl FnMut(Duration) -> io::Result<()>,
    ) -> Result<Vec<Vec<u8>>, Failure> {
        if self.functions.len() > MAX_FUNCTIONS {
            self.functions.clear();
        }
        let missing = |action: &Action<'_>| matches!(action, Action::Call { id, source: None, .. } if !self.functions.contains_key(id));
        if actions.iter().any(missing) {
            return Err(Failure::Missing);
        }
        let Sandbox { functions, kit, context, clock, limits, .. } = self;
        let results = context.with(|ctx| {
            let mut evaluation = Evaluation {
                kit: kit.clone().restore(&ctx)?,
                base: (data, step),
                assigned: Vec::new(),
                scope: None,
                functions,
                clock,
                limits,
                ctx,
            };
            evaluation.run(actions, &mut progress)
        })?;
        // Nothing that is allowed makes a job; what found a way to would run later, on somebody else's time.
        if self.runtime.is_job_pending() {
            return Err(Failure::limit("Promises are not supported."));
        }
        Ok(results)
    }
}

fn lock_down<'js>(ctx: &Ctx<'js>) -> rquickjs::Result<Object<'js>> {
    let lock_down: Function<'js> = ctx.eval(include_str!("lock_down.js"))?;
    lock_down.call((BUILTINS.to_vec(), helpers(ctx)?))
}

struct Evaluation<'js, 'a> {
    ctx: Ctx<'js>,
    kit: Object<'js>,
    /// `data` and `step` as JSON.
    base: (&'a [u8], &'a [u8]),
    /// What was put into `data` since.
    assigned: Vec<(&'a str, String)>,
    /// `data` and `step` as values, while they are as they should be.
    scope: Option<(Value<'js>, Value<'js>)>,
    functions: &'a mut Functions,
    clock: &'a Clock,
    limits: &'a Limits,
}

impl<'js, 'a> Evaluation<'js, 'a> {
    fn run(
        &mut self,
        actions: &[Action<'a>],
        progress: &mut impl FnMut(Duration) -> io::Result<()>,
    ) -> Result<Vec<Vec<u8>>, Failure> {
        let mut results = Vec::with_capacity(actions.len());
        let mut total = 0;
        let mut last_sign = Instant::now();
        for action in actions {
            match action {
                Action::Assign { key, json } => {
                    self.assign(key, String::from_utf8_lossy(json).into_owned())?;
                }
                Action::Call { id, mode, mutates, source, assign } => {
                    self.clock.restart();
                    let json = self.call(*id, *mode, *source).map_err(|failure| self.explain(failure))?;
                    if *mutates {
                        self.scope = None;
                    }
                    total += json.len();
                    if total > self.limits.total_bytes {
                        return Err(Failure::Fault(Excess::Total(self.limits.total_bytes).to_string()));
                    }
                    results.push(json.clone().into_bytes());
                    if let Some(key) = assign {
                        self.assign(key, json)?;
                    }
                }
            }
            if last_sign.elapsed() > PROGRESS_AFTER {
                progress(processor_time()).map_err(Failure::Io)?;
                last_sign = Instant::now();
            }
        }
        Ok(results)
    }

    fn call(
        &mut self,
        id: u64,
        mode: crate::template::Mode,
        source: Option<&str>,
    ) -> Result<String, Failure> {
        let function = self.function(id, source)?;
        let (data, step) = self.scope()?;
        let value: Value<'js> = function.call((data, step, self.kit.clone()))?;
        result_json(&self.ctx, &self.kit, &value, mode, self.limits)
    }

    fn function(&mut self, id: u64, source: Option<&str>) -> Result<Function<'js>, Failure> {
        if let Some(function) = self.functions.get(&id) {
            return Ok(function.clone().restore(&self.ctx)?);
        }
        let function: Function<'js> = self.ctx.eval(source.ok_or(Failure::Missing)?)?;
        self.functions.insert(id, Persistent::save(&self.ctx, function.clone()));
        Ok(function)
    }

    fn scope(&mut self) -> Result<(Value<'js>, Value<'js>), Failure> {
        if let Some(scope) = &self.scope {
            return Ok(scope.clone());
        }
        let mut data = self.ctx.json_parse(self.base.0)?;
        let step = self.ctx.json_parse(self.base.1)?;
        for (key, json) in &self.assigned {
            data = with_member(&self.ctx, &self.kit, data, key, json)?;
        }
        Ok(self.scope.insert((data, step)).clone())
    }

    /// Sets a member of `data`: what the parent has and what later scripts see is the same JSON.
    fn assign(&mut self, key: &'a str, json: String) -> Result<(), Failure> {
        if let Some((data, step)) = self.scope.take() {
            let data = with_member(&self.ctx, &self.kit, data, key, &json)
                .map_err(|error| self.explain(error.into()))?;
            self.scope = Some((data, step));
        }
        self.assigned.push((key, json));
        Ok(())
    }

    /// Says why a script failed.
    fn explain(&self, failure: Failure) -> Failure {
        let Failure::Fault(detail) = failure else {
            return failure;
        };
        let caught = self.ctx.catch();
        let of_time = format!("The script ran longer than {} ms.", self.clock.timeout().as_millis());
        if self.clock.expired() {
            return Failure::Limit { detail: of_time, slow: true };
        }
        let Some(error) = caught.as_object() else {
            // Without memory for an error the engine throws nothing at all.
            return if detail == rquickjs::Error::Exception.to_string() {
                self.out_of_memory()
            } else {
                Failure::Fault(detail)
            };
        };
        let field = |name: &str| error.get::<_, String>(name).unwrap_or_default();
        match field("message") {
            message if message == "out of memory" => self.out_of_memory(),
            message if message.contains("call stack size exceeded") => Failure::limit(&message),
            message if message.is_empty() => Failure::Fault(field("name")),
            message => Failure::Fault(message.chars().take(500).collect()),
        }
    }

    fn out_of_memory(&self) -> Failure {
        Failure::limit(&format!("The script used more than {} bytes of memory.", self.limits.memory_bytes))
    }
}

fn with_member<'js>(
    ctx: &Ctx<'js>,
    kit: &Object<'js>,
    data: Value<'js>,
    key: &str,
    json: &str,
) -> rquickjs::Result<Value<'js>> {
    kit.get::<_, Function<'js>>("assign")?.call((data, key, ctx.json_parse(json)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls a function of the global object that answers with a text.
    fn ask(sandbox: &Sandbox, function: &str) -> String {
        sandbox.context.with(|ctx| {
            let function: Function<'_> = ctx.eval(function).unwrap();
            function.call((ctx.globals(),)).catch(&ctx).unwrap_or_else(|error| panic!("{error}"))
        })
    }

    #[test]
    fn everything_that_a_script_can_reach_is_frozen() {
        let sandbox = Sandbox::new(Limits::default()).unwrap();
        let answer = ask(&sandbox, include_str!("find_unfrozen.js"));
        let (seen, unfrozen) = answer.split_once(' ').unwrap();
        assert_eq!(unfrozen, "");
        assert!(seen.parse::<usize>().unwrap() > 300, "only {seen} objects were seen");
    }

    #[test]
    fn the_globals_are_those_that_scripts_may_name() {
        let sandbox = Sandbox::new(Limits::default()).unwrap();
        let globals = ask(&sandbox, "globals => Object.getOwnPropertyNames(globals).sort().join()");
        let helpers = ["isCountryCode", "isDayOfWeek", "isTimeOfDayBetween", "stringContains", "uuid"];
        let capitals = helpers.map(|name| name[..1].to_uppercase() + &name[1..]);
        let mut expected: Vec<&str> = BUILTINS.iter().copied().chain(helpers).collect();
        expected.extend(capitals.iter().map(String::as_str));
        expected.sort_unstable();
        assert_eq!(globals, expected.join(","));
    }
}
