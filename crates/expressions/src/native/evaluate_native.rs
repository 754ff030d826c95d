//! Evaluates what the fast path can.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

use super::coerce::{compare, is_blank, loosely_equal, strictly_equal, to_number, to_text, truthy};
use super::json_text::array_index;
use super::number_text::{number_text, small_integer};
use super::syntax::{Link, Method, Native, Operator, Root};
use super::value::{Scope, Stop, Val};
use crate::functions::{Answer, Argument, Helper};

/// Longer texts are worked on by QuickJS, under its limits of time and memory.
const MAX_TEXT_BYTES: usize = 64 * 1024;

/// What every object has without having it itself.
const OBJECT_PROTOTYPE: [&str; 12] = [
    "__defineGetter__",
    "__defineSetter__",
    "__lookupGetter__",
    "__lookupSetter__",
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "toLocaleString",
    "toString",
    "valueOf",
];

pub(super) fn evaluate<'a>(native: &'a Native, scope: Scope<'a>) -> Result<Val<'a>, Stop> {
    Ok(match native {
        Native::Undefined => Val::Undefined,
        Native::Null => Val::Null,
        Native::Bool(value) => Val::Bool(*value),
        Native::Number(number) => Val::Number(*number),
        Native::Text(text) => Val::Text(Cow::Borrowed(text)),
        Native::Chain(root, links) => follow(*root, links, scope)?,
        Native::Not(operand) => Val::Bool(!truthy(&evaluate(operand, scope)?)),
        Native::Negate(operand) => Val::Number(-to_number(&evaluate(operand, scope)?)?),
        Native::Binary(operator, sides) => {
            let left = evaluate(&sides.0, scope)?;
            combine(*operator, &left, &evaluate(&sides.1, scope)?)?
        }
        Native::And(sides) => match evaluate(&sides.0, scope)? {
            left if truthy(&left) => evaluate(&sides.1, scope)?,
            left => left,
        },
        Native::Or(sides) => match evaluate(&sides.0, scope)? {
            left if truthy(&left) => left,
            _ => evaluate(&sides.1, scope)?,
        },
        Native::Coalesce(sides) => match evaluate(&sides.0, scope)? {
            Val::Undefined | Val::Null => evaluate(&sides.1, scope)?,
            left => left,
        },
        Native::Choose(parts) => {
            let chosen = if truthy(&evaluate(&parts.0, scope)?) { &parts.1 } else { &parts.2 };
            evaluate(chosen, scope)?
        }
        Native::Join(pieces) => join(pieces, scope)?,
        Native::Call(helper, arguments) => call(*helper, arguments, scope)?,
    })
}

fn follow<'a>(root: Root, links: &'a [Link], scope: Scope<'a>) -> Result<Val<'a>, Stop> {
    let (mut current, links) = match (root, links) {
        (Root::Step, links) => (Val::from(scope.step), links),
        (Root::Data, [Link::Member(name), rest @ ..]) => match scope.data_member(name) {
            Some(value) if name != "__proto__" => (Val::from(value), rest),
            _ => (missing(name)?, rest),
        },
        // `data` itself and its computed members are rare enough for QuickJS.
        (Root::Data, _) => return Err(Stop::Unsure),
    };
    for link in links {
        if matches!(current, Val::Undefined | Val::Null) {
            return Ok(Val::Undefined);
        }
        refuse_long(&current)?;
        current = match link {
            Link::Member(name) => member(&current, name)?,
            Link::Item(key) => match evaluate(key, scope)? {
                Val::Text(name) => member(&current, &name)?,
                Val::Number(number) => item(&current, number)?,
                _ => return Err(Stop::Unsure),
            },
            Link::Call(method, arguments) => call_method(&current, *method, arguments, scope)?,
        };
    }
    Ok(current)
}

fn member<'a>(value: &Val<'a>, name: &str) -> Result<Val<'a>, Stop> {
    match value {
        Val::Json(Value::Object(members)) => match members.get(name) {
            Some(member) if name != "__proto__" => Ok(Val::from(member)),
            _ => missing(name),
        },
        Val::Json(Value::Array(items)) => match array_index(name) {
            Some(index) => Ok(element(items, index)),
            None if name == "length" => Ok(length(items.len())),
            None => Err(Stop::Unsure),
        },
        Val::Text(text) if name == "length" => Ok(length(text.encode_utf16().count())),
        _ => Err(Stop::Unsure),
    }
}

/// A member that an object does not have itself.
fn missing<'a>(name: &str) -> Result<Val<'a>, Stop> {
    if OBJECT_PROTOTYPE.contains(&name) { Err(Stop::Unsure) } else { Ok(Val::Undefined) }
}

fn item<'a>(value: &Val<'a>, number: f64) -> Result<Val<'a>, Stop> {
    match (value, small_integer(number).and_then(|index| u32::try_from(index).ok())) {
        (Val::Json(Value::Array(items)), Some(index)) => Ok(element(items, index)),
        (Val::Json(Value::Object(_)), _) => member(value, &number_text(number)),
        _ => Err(Stop::Unsure),
    }
}

fn element(items: &[Value], index: u32) -> Val<'_> {
    usize::try_from(index).ok().and_then(|index| items.get(index)).map_or(Val::Undefined, Val::from)
}

fn length<'a>(count: usize) -> Val<'a> {
    #[expect(clippy::cast_precision_loss, reason = "nothing in memory is as long as 2^53")]
    Val::Number(count as f64)
}

fn call_method<'a>(
    receiver: &Val<'a>,
    method: Method,
    arguments: &'a [Native],
    scope: Scope<'a>,
) -> Result<Val<'a>, Stop> {
    let Val::Text(text) = receiver else {
        return Err(Stop::Unsure);
    };
    let argument = match arguments.first().map(|argument| evaluate(argument, scope)).transpose()? {
        Some(Val::Text(argument)) if argument.len() <= MAX_TEXT_BYTES => argument,
        Some(_) => return Err(Stop::Unsure),
        None => Cow::Borrowed(""),
    };
    Ok(match method {
        Method::Trim => Val::Text(match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim_matches(is_blank)),
            Cow::Owned(text) => Cow::Owned(text.trim_matches(is_blank).to_owned()),
        }),
        // The cases of other letters depend on their neighbours and on the Unicode version.
        Method::ToLowerCase | Method::ToUpperCase if !text.is_ascii() => return Err(Stop::Unsure),
        Method::ToLowerCase => Val::Text(Cow::Owned(text.to_ascii_lowercase())),
        Method::ToUpperCase => Val::Text(Cow::Owned(text.to_ascii_uppercase())),
        Method::Includes => Val::Bool(text.contains(&*argument)),
        Method::StartsWith => Val::Bool(text.starts_with(&*argument)),
        Method::EndsWith => Val::Bool(text.ends_with(&*argument)),
    })
}

fn combine<'a>(operator: Operator, left: &Val<'a>, right: &Val<'a>) -> Result<Val<'a>, Stop> {
    use Ordering::{Equal, Greater, Less};
    let ordered = |wanted: &[Ordering]| -> Result<Val<'a>, Stop> {
        Ok(Val::Bool(compare(left, right)?.is_some_and(|order| wanted.contains(&order))))
    };
    let numbers = || -> Result<(f64, f64), Stop> { Ok((to_number(left)?, to_number(right)?)) };
    refuse_long(left)?;
    refuse_long(right)?;
    match operator {
        Operator::Equal => Ok(Val::Bool(loosely_equal(left, right)?)),
        Operator::NotEqual => Ok(Val::Bool(!loosely_equal(left, right)?)),
        Operator::StrictEqual => Ok(Val::Bool(strictly_equal(left, right))),
        Operator::StrictNotEqual => Ok(Val::Bool(!strictly_equal(left, right))),
        Operator::Less => ordered(&[Less]),
        Operator::LessOrEqual => ordered(&[Less, Equal]),
        Operator::Greater => ordered(&[Greater]),
        Operator::GreaterOrEqual => ordered(&[Greater, Equal]),
        Operator::Add if matches!(left, Val::Text(_)) || matches!(right, Val::Text(_)) => {
            joined(to_text(left)? + &to_text(right)?)
        }
        Operator::Add => numbers().map(|(left, right)| Val::Number(left + right)),
        Operator::Subtract => numbers().map(|(left, right)| Val::Number(left - right)),
        Operator::Multiply => numbers().map(|(left, right)| Val::Number(left * right)),
        Operator::Divide => numbers().map(|(left, right)| Val::Number(left / right)),
        Operator::Remainder => numbers().map(|(left, right)| Val::Number(left % right)),
    }
}

fn refuse_long(value: &Val<'_>) -> Result<(), Stop> {
    match value {
        Val::Text(text) if text.len() > MAX_TEXT_BYTES => Err(Stop::Unsure),
        _ => Ok(()),
    }
}

fn join<'a>(pieces: &'a [Native], scope: Scope<'a>) -> Result<Val<'a>, Stop> {
    let mut text = String::new();
    for piece in pieces {
        let piece = evaluate(piece, scope)?;
        refuse_long(&piece)?;
        text.push_str(&to_text(&piece)?);
        if text.len() > MAX_TEXT_BYTES {
            return Err(Stop::Unsure);
        }
    }
    joined(text)
}

fn joined<'a>(text: String) -> Result<Val<'a>, Stop> {
    if text.len() > MAX_TEXT_BYTES { Err(Stop::Unsure) } else { Ok(Val::Text(Cow::Owned(text))) }
}

fn call<'a>(helper: Helper, arguments: &'a [Native], scope: Scope<'a>) -> Result<Val<'a>, Stop> {
    let arguments = arguments
        .iter()
        .map(|argument| {
            let value = evaluate(argument, scope)?;
            refuse_long(&value)?;
            let truth = truthy(&value);
            let text = match value {
                Val::Undefined | Val::Null => None,
                Val::Text(text) => Some(text),
                other => Some(Cow::Owned(to_text(&other)?)),
            };
            Ok(Argument { text, truth })
        })
        .collect::<Result<Vec<_>, Stop>>()?;
    match helper.call(&arguments) {
        Ok(Answer::Truth(truth)) => Ok(Val::Bool(truth)),
        Ok(Answer::Text(text)) => Ok(Val::Text(Cow::Owned(text))),
        Err(error) => Err(Stop::Fault(error.to_string())),
    }
}
