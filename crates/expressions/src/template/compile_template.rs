//! Compiles JSON values with scripts in their strings.

use std::sync::{Arc, OnceLock};

use serde_json::Value;

use super::node::{Leaf, Mode, Node, Piece, Script};
use super::scan_text::{Part, scan_text};
use super::write_function::{function_of_node, function_of_parts};
use crate::ScriptError;
use crate::script::compile_script;

/// A JSON value with `{{ … }}` in its strings, compiled once per version of a definition. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Template(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    node: Node,
    /// All of it as one function, made when it is first needed.
    whole: OnceLock<Script>,
}

impl Template {
    /// Compiles an input: every string at any depth, keys never (spec 4.2).
    pub fn compile(value: &Value) -> Result<Template, ScriptError> {
        compile_value(value).map(Template::new)
    }

    /// Compiles the value of an output: besides `{{ … }}` it may be a bare path (`step.responseCode`), which
    /// is evaluated, or a placeholder of the Builder (`variable 0`), which leaves an existing key as it is
    /// (spec 4.2, X36).
    pub fn compile_output(value: &Value) -> Result<Template, ScriptError> {
        let node = match value {
            Value::String(text) if is_placeholder(text) => Node::Placeholder(text.clone()),
            // What only looks like a path is a literal.
            Value::String(text) if is_path(text) => match compile_whole(text, Mode::Value) {
                Ok(leaf) => Node::Leaf(leaf),
                Err(_) => compile_value(value)?,
            },
            _ => compile_value(value)?,
        };
        Ok(Template::new(node))
    }

    /// Compiles a condition, whose value is its truth: a boolean is itself, the texts `true` and `false`
    /// count as booleans, and else JavaScript decides. A string without braces is a script (spec 3.4).
    pub fn compile_condition(value: &Value) -> Result<Template, ScriptError> {
        let node = match value {
            Value::String(text) => Node::Leaf(match scan_whole(text) {
                Some(parts) => compile_parts(text, &parts, Mode::Truth)?,
                None => compile_whole(text, Mode::Truth)?,
            }),
            other => Node::Constant(Value::Bool(crate::native::truth(other))),
        };
        Ok(Template::new(node))
    }

    /// Whether there is no script in it.
    pub fn is_constant(&self) -> bool {
        self.constant().is_some()
    }

    /// The value, if there is no script in it.
    pub fn constant(&self) -> Option<&Value> {
        match &self.0.node {
            Node::Constant(value) => Some(value),
            _ => None,
        }
    }

    fn new(node: Node) -> Template {
        Template(Arc::new(Inner { node, whole: OnceLock::new() }))
    }

    pub(crate) fn node(&self) -> &Node {
        &self.0.node
    }

    /// One function that makes all of the value, for a call that must make it in one go.
    pub(crate) fn whole(&self) -> (&Script, Mode) {
        match &self.0.node {
            Node::Leaf(leaf) => (&leaf.script, leaf.mode),
            node => (self.0.whole.get_or_init(|| function_of_node(node)), Mode::Value),
        }
    }
}

fn compile_value(value: &Value) -> Result<Node, ScriptError> {
    Ok(match value {
        Value::String(text) => match scan_whole(text) {
            Some(parts) => Node::Leaf(compile_parts(text, &parts, Mode::Value)?),
            None => Node::Constant(value.clone()),
        },
        Value::Array(items) => {
            let nodes = items.iter().map(compile_value).collect::<Result<Vec<_>, _>>()?;
            if nodes.iter().all(is_constant) { Node::Constant(value.clone()) } else { Node::Array(nodes) }
        }
        Value::Object(members) => {
            let nodes = members
                .iter()
                .map(|(key, member)| Ok((key.clone(), compile_value(member)?)))
                .collect::<Result<Vec<_>, ScriptError>>()?;
            if nodes.iter().all(|(_, node)| is_constant(node)) {
                Node::Constant(value.clone())
            } else {
                Node::Object(nodes)
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Node::Constant(value.clone()),
    })
}

fn is_constant(node: &Node) -> bool {
    matches!(node, Node::Constant(_))
}

/// The parts of a text, if there is a script among them; of a text that is one script and blanks, only it.
pub(super) fn scan_whole(text: &str) -> Option<Vec<Part<'_>>> {
    if !text.contains("{{") {
        return None;
    }
    let trimmed = scan_text(text.trim());
    if matches!(trimmed.as_slice(), [Part::Script(_)]) {
        return Some(trimmed);
    }
    let parts = scan_text(text);
    parts.iter().any(|part| matches!(part, Part::Script(_))).then_some(parts)
}

fn compile_whole(script: &str, mode: Mode) -> Result<Leaf, ScriptError> {
    compile_parts(script, &[Part::Script(script)], mode)
}

/// The parts of a text.
fn compile_parts(written: &str, parts: &[Part<'_>], mode: Mode) -> Result<Leaf, ScriptError> {
    let mut codes = Vec::new();
    let mut pieces = Some(Vec::new());
    let mut mutates = false;
    for part in parts {
        let piece = match part {
            Part::Literal(text) => Some(Piece::Literal((*text).to_owned())),
            Part::Script(text) => {
                let compiled = compile_script(text)?;
                codes.push(compiled.code);
                mutates |= compiled.mutates;
                compiled.native.map(if parts.len() == 1 { Piece::Whole } else { Piece::Inserted })
            }
        };
        pieces = pieces.zip(piece).map(|(mut pieces, piece)| {
            pieces.push(piece);
            pieces
        });
    }
    let script = Script::new(function_of_parts(parts, &codes, mutates), mutates, written.to_owned());
    Ok(Leaf { mode, script, pieces })
}

/// `step.…`, `step[…`, `data.…` or `data[…`.
pub(super) fn is_path(text: &str) -> bool {
    ["step", "data"]
        .iter()
        .filter_map(|root| text.strip_prefix(root))
        .any(|rest| rest.starts_with(['.', '[']) && !text.contains("{{"))
}

/// `variable` and a number.
pub(super) fn is_placeholder(text: &str) -> bool {
    text.strip_prefix("variable ")
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_without_scripts_are_constants() {
        for value in [json!(1), json!("plain"), json!("open {{"), json!({"a": ["b", null]})] {
            assert_eq!(Template::compile(&value).unwrap().constant(), Some(&value));
        }
        assert!(!Template::compile(&json!({"a": ["{{data.b}}"]})).unwrap().is_constant());
        assert!(Template::compile(&json!({"{{a}}": 1})).unwrap().is_constant());
    }

    #[test]
    fn every_script_of_a_value_is_checked() {
        let long = format!("{{{{{}}}}}", "1+".repeat(500) + "1");
        assert_eq!(Template::compile(&json!([{"a": long}])).unwrap_err(), ScriptError::TooLong);
        assert!(Template::compile(&json!({"a": ["ok {{data.x}} {{data.x = 1}}"]})).is_err());
        assert!(Template::compile(&json!("{{}}")).is_err());
        assert!(Template::compile_condition(&json!("")).is_err());
        assert!(Template::compile_condition(&json!("{{ data.x")).is_err());
    }

    #[test]
    fn outputs_may_be_paths_placeholders_or_literals() {
        let leaf =
            |text: &str| matches!(Template::compile_output(&json!(text)).unwrap().node(), Node::Leaf(_));
        assert!(leaf("step.responseCode") && leaf("data['a'].b") && leaf("{{1}}"));
        assert!(!leaf("step.one is done") && !leaf("step.a = 1") && !leaf("stepper.x") && !leaf("data"));
        let placeholder = Template::compile_output(&json!("variable 12")).unwrap();
        assert!(matches!(placeholder.node(), Node::Placeholder(_)));
        assert!(Template::compile_output(&json!("variable x")).unwrap().is_constant());
    }

    #[test]
    fn conditions_that_are_no_strings_have_their_truth() {
        for (value, truth) in
            [(json!(true), true), (json!(0), false), (json!(null), false), (json!([]), true)]
        {
            assert_eq!(Template::compile_condition(&value).unwrap().constant(), Some(&json!(truth)));
        }
    }
}
