//! Writes templates as JavaScript functions.
//!
//! A function gets `data`, `step` and `$`, the kit of the sandbox. Scripts cannot see the kit, because a
//! free name in them stands for a member of `data`.

use serde_json::Value;

use super::node::{Node, Script};
use super::scan_text::Part;

/// The function of one string whose scripts are already rewritten; `codes` has those in order. Where one of
/// several scripts may change what it was given, each gets a copy: none sees another's changes.
pub(super) fn function_of_parts(parts: &[Part<'_>], codes: &[String], mutates: bool) -> String {
    let apart = mutates && codes.len() > 1;
    let mut codes = codes.iter();
    let mut next = || codes.next().expect("there is a code for every script");
    if matches!(parts, [Part::Script(_)]) {
        return function_of(&format!("\n{}\n", next()));
    }
    let pieces: Vec<String> = parts
        .iter()
        .map(|part| match part {
            Part::Literal(text) => quote(text),
            Part::Script(_) if apart => format!(
                "$.text(((data,step)=>(\n{}\n))(JSON.parse(JSON.stringify(data)),JSON.parse(JSON.stringify(step))))",
                next()
            ),
            Part::Script(_) => format!("$.text(\n{}\n)", next()),
        })
        .collect();
    function_of(&format!("''+{}", pieces.join("+")))
}

fn function_of(code: &str) -> String {
    format!("(data,step,$)=>({code})")
}

/// One function that makes all of a value.
pub(super) fn function_of_node(node: &Node) -> Script {
    let mut code = String::new();
    let mut mutates = false;
    let mut written = Vec::new();
    push_node(node, &mut code, &mut mutates, &mut written);
    Script::new(function_of(&code), mutates, written.join(" … "))
}

fn push_node<'a>(node: &'a Node, code: &mut String, mutates: &mut bool, written: &mut Vec<&'a str>) {
    match node {
        Node::Constant(value) => push_constant(value, code),
        Node::Placeholder(text) => push_constant(&Value::from(text.as_str()), code),
        Node::Leaf(leaf) => {
            *mutates |= leaf.script.mutates;
            written.push(&leaf.script.written);
            code.push_str("$.typed((");
            code.push_str(&leaf.script.source);
            code.push_str(")(data,step,$))");
        }
        Node::Array(items) => {
            code.push('[');
            for item in items {
                push_node(item, code, mutates, written);
                code.push(',');
            }
            code.push(']');
        }
        Node::Object(members) => {
            code.push('{');
            for (key, member) in members {
                // A computed key, because `__proto__` written plainly is not a member.
                code.extend(["[", &quote(key), "]:"]);
                push_node(member, code, mutates, written);
                code.push(',');
            }
            code.push('}');
        }
    }
}

fn push_constant(value: &Value, code: &mut String) {
    let json = serde_json::to_string(value).expect("a JSON value is always JSON");
    match value {
        Value::Array(_) | Value::Object(_) => code.extend(["$.json(", &quote(&json), ")"]),
        _ => code.push_str(&json),
    }
}

/// A text as a JavaScript string literal; JSON's are such.
fn quote(text: &str) -> String {
    serde_json::to_string(text).expect("a string is always JSON")
}
