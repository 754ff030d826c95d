//! The QuickJS context of one account.

use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use rquickjs::{CatchResultExt as _, Context, Ctx, Function, Object, Persistent, Runtime};

use super::clock::Clock;
use super::evaluation::Evaluation;
use super::failure::Failure;
use super::helpers::helpers;
use crate::Limits;
use crate::protocol::Action;
use crate::script::BUILTINS;

/// More functions than an account's definitions use at a time; then they are compiled anew.
const MAX_FUNCTIONS: usize = 1024;

/// What is saved beyond one use of a context.
type Kit = Persistent<Object<'static>>;
pub(super) type Functions = HashMap<u64, Persistent<Function<'static>>>;

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
            let kit = kit.clone().restore(&ctx)?;
            let mut evaluation = Evaluation::new(ctx, kit, (data, step), functions, clock, limits);
            evaluation.run(actions, &mut progress)
        });
        // Nothing that is allowed makes a job; what found a way to would run later, on somebody else's time.
        if self.runtime.is_job_pending() {
            return Err(Failure::limit("Promises are not supported."));
        }
        results
    }
}

fn lock_down<'js>(ctx: &Ctx<'js>) -> rquickjs::Result<Object<'js>> {
    let lock_down: Function<'js> = ctx.eval(include_str!("lock_down.js"))?;
    lock_down.call((BUILTINS.to_vec(), helpers(ctx)?))
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
