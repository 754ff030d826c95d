//! The helper functions as the sandbox sees them; `lock_down.js` wraps them.

use rquickjs::{Ctx, Exception, Function, Object, Result};

use crate::functions::{
    FunctionError, is_country_code, is_day_of_week, is_time_of_day_between, string_contains, uuid,
};

/// An object with the helpers; their arguments are texts or undefined.
pub(super) fn helpers<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>> {
    type Text = Option<String>;
    let helpers = Object::new(ctx.clone())?;
    let set = |name: &str, function: Result<Function<'js>>| helpers.set(name, function?);
    set(
        "isCountryCode",
        Function::new(ctx.clone(), |number: Text, country: Text| {
            is_country_code(number.as_deref(), country.as_deref())
        }),
    )?;
    set(
        "stringContains",
        Function::new(ctx.clone(), |source: Text, value: Text, ignore_case: bool| {
            string_contains(source.as_deref(), value.as_deref(), ignore_case)
        }),
    )?;
    set(
        "isTimeOfDayBetween",
        Function::new(ctx.clone(), |ctx: Ctx<'js>, time: Text, from: Text, to: Text, zone: Text| {
            let answer =
                is_time_of_day_between(time.as_deref(), from.as_deref(), to.as_deref(), zone.as_deref());
            throw(&ctx, answer)
        }),
    )?;
    set(
        "isDayOfWeek",
        Function::new(ctx.clone(), |ctx: Ctx<'js>, time: Text, day: Text| {
            throw(&ctx, is_day_of_week(time.as_deref(), day.as_deref()))
        }),
    )?;
    set("uuid", Function::new(ctx.clone(), uuid))?;
    Ok(helpers)
}

fn throw(ctx: &Ctx<'_>, answer: std::result::Result<bool, FunctionError>) -> Result<bool> {
    answer.map_err(|error| Exception::throw_range(ctx, &error.to_string()))
}
