//! Finds all scripts of a value that cannot be saved, with their places.

use serde_json::Value;
use trunkline_workflow::definition::{ScriptFlaw, ScriptPlace, ScriptProblem, escape_token};

use super::compile_template::{is_path, is_placeholder, scan_whole};
use super::scan_text::Part;
use crate::ScriptError;
use crate::script::compile_script;

/// There are none exactly when [`super::Template`] compiles the value for this place.
pub fn check_scripts(place: ScriptPlace, value: &Value) -> Vec<ScriptProblem> {
    let mut problems = Vec::new();
    match (place, value) {
        (ScriptPlace::Output, Value::String(text)) if is_placeholder(text) || is_path(text) => {}
        (ScriptPlace::Condition, Value::String(text)) => match scan_whole(text) {
            Some(parts) => check_parts(text, &parts, "", &mut problems),
            None => check_script(text, text, 0, "", &mut problems),
        },
        (ScriptPlace::Condition, _) => {}
        _ => check_value(value, &mut String::new(), &mut problems),
    }
    problems
}

fn check_value(value: &Value, path: &mut String, problems: &mut Vec<ScriptProblem>) {
    let length = path.len();
    match value {
        Value::String(text) => {
            if let Some(parts) = scan_whole(text) {
                check_parts(text, &parts, path, problems);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push('/');
                path.push_str(&index.to_string());
                check_value(item, path, problems);
                path.truncate(length);
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                path.push('/');
                path.push_str(&escape_token(key));
                check_value(member, path, problems);
                path.truncate(length);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn check_parts(text: &str, parts: &[Part<'_>], path: &str, problems: &mut Vec<ScriptProblem>) {
    // Of a text that is one script and blanks, the parts are only that script.
    let mut at = match parts {
        [Part::Script(_)] => text.len() - text.trim_start().len(),
        _ => 0,
    };
    for part in parts {
        if let Part::Script(script) = part {
            check_script(text, script, at + 2, path, problems);
        }
        at += part.length();
    }
}

/// A script that begins at this byte of the text.
fn check_script(text: &str, script: &str, start: usize, path: &str, problems: &mut Vec<ScriptProblem>) {
    let Err(error) = compile_script(script) else { return };
    let (flaw, detail, at) = match error {
        ScriptError::TooLong => (ScriptFlaw::TooLong, error.to_string(), 0),
        ScriptError::Invalid { detail, at } => (ScriptFlaw::Invalid, detail, at),
    };
    let before = text.get(..start + at.min(script.len())).unwrap_or_default();
    problems.push(ScriptProblem { flaw, path: path.to_owned(), column: before.chars().count() + 1, detail });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Template;

    #[test]
    fn problems_have_the_column_in_their_text() {
        use ScriptPlace::{Condition, Inputs, Output};
        for (place, value, expected) in [
            (Inputs, json!("{{data.x = 1}}"), vec![("", 3)]),
            (Inputs, json!("  {{ data.x = 1 }}  "), vec![("", 6)]),
            (Inputs, json!("é {{1}} {{ new X() }} {{1 2}}"), vec![("", 12), ("", 27)]),
            (Inputs, json!({"a/b": [1, "{{1 +}}"], "c": "{{this}}"}), vec![("/a~1b/1", 6), ("/c", 3)]),
            (Inputs, json!("{{ never closed = 1"), vec![]),
            (Inputs, json!(format!("x{{{{{}}}}}", "1".repeat(1001))), vec![("", 4)]),
            (Output, json!("step.a b"), vec![]),
            (Output, json!("variable 1"), vec![]),
            (Output, json!("{{step.}}"), vec![("", 8)]),
            (Condition, json!("a = 1"), vec![("", 1)]),
            (Condition, json!("{{ a == 'é' b }}"), vec![("", 13)]),
            (Condition, json!(["{{1 2}}"]), vec![]),
            (Condition, json!(true), vec![]),
        ] {
            let found = check_scripts(place, &value);
            let places: Vec<_> = found.iter().map(|p| (p.path.as_str(), p.column)).collect();
            assert_eq!(places, expected, "{value} {found:?}");
            let compiled = match place {
                Inputs => Template::compile(&value),
                Output => Template::compile_output(&value),
                Condition => Template::compile_condition(&value),
            };
            assert_eq!(compiled.is_err(), !expected.is_empty(), "{value}");
        }
    }
}
