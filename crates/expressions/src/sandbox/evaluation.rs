//! Evaluates the actions of one request in an account's context.

use std::io;
use std::time::{Duration, Instant};

use rquickjs::{Ctx, Function, Object, Persistent, Value};

use super::clock::{Clock, processor_time};
use super::failure::Failure;
use super::result_json::result_json;
use super::sandbox_of_account::Functions;
use crate::Limits;
use crate::functions::load_calling_codes;
use crate::native::Excess;
use crate::protocol::Action;
use crate::template::Mode;

/// The parent gets a sign of life when scripts that are done took longer than this together.
const PROGRESS_AFTER: Duration = Duration::from_millis(20);

/// All scripts of a request may together take the time of so many.
const SCRIPTS_OF_FULL_TIME: u32 = 10;

/// The actions of one request in a context.
pub(super) struct Evaluation<'js, 'a> {
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
    pub fn new(
        ctx: Ctx<'js>,
        kit: Object<'js>,
        base: (&'a [u8], &'a [u8]),
        functions: &'a mut Functions,
        clock: &'a Clock,
        limits: &'a Limits,
    ) -> Evaluation<'js, 'a> {
        Evaluation { ctx, kit, base, assigned: Vec::new(), scope: None, functions, clock, limits }
    }

    pub fn run(
        &mut self,
        actions: &[Action<'a>],
        progress: &mut impl FnMut(Duration) -> io::Result<()>,
    ) -> Result<Vec<Vec<u8>>, Failure> {
        if actions.iter().any(asks_for_country_codes) {
            load_calling_codes();
            progress(processor_time()).map_err(Failure::Io)?;
        }
        let mut results = Vec::with_capacity(actions.len());
        let mut total = 0;
        let mut last_sign = Instant::now();
        let mut started = None;
        for action in actions {
            match action {
                Action::Assign { key, json } => {
                    self.assign(key, String::from_utf8_lossy(json).into_owned())?;
                }
                Action::Call { id, mode, mutates, source, assign } => {
                    self.clock.restart();
                    let json = self
                        .call(*id, *mode, *source)
                        .map_err(|failure| self.explain(failure).of_call(results.len()))?;
                    if *mutates {
                        self.scope = None;
                    }
                    total += json.len();
                    if total > self.limits.total_bytes {
                        let excess = Excess::Total(self.limits.total_bytes).to_string();
                        return Err(Failure::fault(excess));
                    }
                    results.push(json.clone().into_bytes());
                    if let Some(key) = assign {
                        self.assign(key, json)?;
                    }
                }
            }
            if last_sign.elapsed() > PROGRESS_AFTER {
                let now = processor_time();
                if now.saturating_sub(*started.get_or_insert(now))
                    > self.limits.timeout * SCRIPTS_OF_FULL_TIME
                {
                    let timeout = (self.limits.timeout * SCRIPTS_OF_FULL_TIME).as_millis();
                    let detail = format!("The scripts ran together longer than {timeout} ms.");
                    return Err(Failure::limit(&detail));
                }
                progress(now).map_err(Failure::Io)?;
                last_sign = Instant::now();
            }
        }
        Ok(results)
    }

    fn call(&mut self, id: u64, mode: Mode, source: Option<&str>) -> Result<String, Failure> {
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
        let Failure::Fault { detail, .. } = failure else {
            return failure;
        };
        let caught = self.ctx.catch();
        let of_time = format!("The script ran longer than {} ms.", self.clock.timeout().as_millis());
        if self.clock.expired() {
            return Failure::limit(&of_time);
        }
        let Some(error) = caught.as_object() else {
            // Without memory for an error the engine throws nothing at all.
            return if detail == rquickjs::Error::Exception.to_string() {
                self.out_of_memory()
            } else {
                Failure::fault(detail)
            };
        };
        let field = |name: &str| error.get::<_, String>(name).unwrap_or_default();
        match field("message") {
            message if message == "out of memory" => self.out_of_memory(),
            message if message.contains("call stack size exceeded") => Failure::limit(&message),
            message if message.is_empty() => Failure::fault(field("name")),
            message => Failure::fault(message.chars().take(500).collect::<String>()),
        }
    }

    fn out_of_memory(&self) -> Failure {
        Failure::limit(&format!("The script used more than {} bytes of memory.", self.limits.memory_bytes))
    }
}

/// Whether a function comes that calls `isCountryCode`: what its tables take once is no script's time.
fn asks_for_country_codes(action: &Action<'_>) -> bool {
    matches!(action, Action::Call { source: Some(source), .. } if source.contains("sCountryCode"))
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
