//! Compiles the text between two braces.

use std::thread;

use oxc_allocator::Allocator;
use oxc_ast::ast::Expression;
use oxc_parser::{ParseOptions, Parser};
use oxc_span::SourceType;

use super::ScriptError;
use super::read_script::read_script;
use crate::native::{Native, compile_native};

/// The longest script, in characters between the braces (spec 4.4).
const MAX_CHARACTERS: usize = 1000;

/// Parser and reader recurse once or more per nested bracket. A script longer than this gets a thread with
/// stack enough for the deepest nesting that 1000 characters can hold.
const MAX_BYTES_ON_ANY_STACK: usize = 96;
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// A script that may be evaluated.
#[derive(Debug)]
pub(crate) struct Compiled {
    /// A JavaScript expression over `data` and `step` that takes missing members as undefined.
    pub code: String,
    /// Whether evaluating it could change `data` or `step`.
    pub mutates: bool,
    /// The same for the fast path, if that can.
    pub native: Option<Native>,
}

pub(crate) fn compile_script(text: &str) -> Result<Compiled, ScriptError> {
    if text.chars().count() > MAX_CHARACTERS {
        return Err(ScriptError::TooLong);
    }
    if text.len() <= MAX_BYTES_ON_ANY_STACK {
        return compile(text);
    }
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, || compile(text));
        match thread {
            Ok(thread) => {
                thread.join().unwrap_or_else(|_| Err(ScriptError::invalid("the parser gave up", 0)))
            }
            Err(error) => Err(ScriptError::invalid(format!("no thread to parse it: {error}"), 0)),
        }
    })
}

fn compile(text: &str) -> Result<Compiled, ScriptError> {
    let source = without_semicolon(text);
    let allocator = Allocator::default();
    let expression = parse(&allocator, source)?;
    let read = read_script(source, &expression)?;
    Ok(Compiled { code: read.code, mutates: read.mutates, native: compile_native(&expression) })
}

fn parse<'a>(allocator: &'a Allocator, source: &'a str) -> Result<Expression<'a>, ScriptError> {
    let options = ParseOptions { parse_regular_expression: true, ..ParseOptions::default() };
    Parser::new(allocator, source, SourceType::mjs()).with_options(options).parse_expression().map_err(
        |diagnostics| match diagnostics.into_vec().into_iter().next() {
            Some(first) => {
                let at = first.labels.first().map_or(0, |label| label.offset() as usize);
                ScriptError::invalid(first.to_string(), at)
            }
            None => ScriptError::invalid("it does not parse", 0),
        },
    )
}

/// A semicolon at the end is harmless (spec 4.1).
fn without_semicolon(text: &str) -> &str {
    let trimmed = text.trim_end();
    trimmed.strip_suffix(';').unwrap_or(trimmed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        compile_script(text).unwrap().code
    }

    #[test]
    fn member_accesses_become_optional() {
        for (text, expected) in [
            ("data.a.b[data.c].d()", "data?.a?.b?.[data?.c]?.d()"),
            ("step . reply /* x */ . text", "step?.reply?.text"),
            ("data?.a.b", "data?.a?.b"),
            ("(data.a).b", "(data?.a)?.b"),
            ("data['a']['b']", "data?.['a']?.['b']"),
            ("1..toFixed(2)", "1.?.toFixed(2)"),
            ("1.5.toFixed(2)", "1.5?.toFixed(2)"),
            ("`${data.a.b}`", "`${data?.a?.b}`"),
            ("data.list.map(i => i.id).join(', ')", "data?.list?.map(i => i?.id)?.join(', ')"),
            ("Math.max(1, 2)", "Math?.max(1, 2)"),
            (" {a: {b: 1}}.a.b ", " {a: {b: 1}}?.a?.b"),
            ("data.é.ü", "data?.é?.ü"),
        ] {
            assert_eq!(code(text), expected, "{text}");
        }
    }

    #[test]
    fn free_names_are_members_of_data() {
        for (text, expected) in [
            ("name", "data?.name"),
            ("name.first", "data?.name?.first"),
            ("lookup(data.x)", "data?.lookup(data?.x)"),
            ("{name, step, data}", "{name: data?.name, step, data}"),
            ("list.map(name => name + other)", "data?.list?.map(name => name + data?.other)"),
            (
                "list.map(({id, tag: [first, ...rest]}, at = start) => id + at + first + rest + tag)",
                "data?.list?.map(({id, tag: [first, ...rest]}, at = data?.start) => id + at + first + rest + data?.tag)",
            ),
            ("globalThis", "data?.globalThis"),
            ("typeof x", "typeof data?.x"),
            ("[undefined, NaN, Date.now(), uuid()]", "[undefined, NaN, Date?.now(), uuid()]"),
            ("list.map(data => data.x)", "data?.list?.map(data => data?.x)"),
        ] {
            assert_eq!(code(text), expected, "{text}");
        }
    }

    #[test]
    fn a_semicolon_at_the_end_is_harmless() {
        assert_eq!(code("data.x == 1 ? 1 : 0; "), "data?.x == 1 ? 1 : 0");
    }

    #[test]
    fn c_210_what_is_no_plain_expression_is_refused() {
        for text in [
            "data.x = 1",
            "data.x += 1",
            "data.x++",
            "--data.x",
            "new Date()",
            "new (class {})",
            "class {}",
            "function f() { return f() }",
            "(function () { return 1 })()",
            "async () => 1",
            "() => { for (;;); }",
            "() => { while (true) {} }",
            "() => { let x = 1; return x }",
            "() => { var x }",
            "() => { throw 1 }",
            "() => { try { f() } catch {} }",
            "var x = 1",
            "let x",
            "if (data.x) 1",
            "for (;;) {}",
            "delete data.x",
            "import('fs')",
            "import.meta",
            "eval('1')",
            "Function('1')",
            "[1].map(eval)",
            "\\u0065val('1')",
            "this",
            "(() => this)()",
            "new.target",
            "await data.x",
            "function* g() { yield 1 }",
            "({ get x() { return 1 } })",
            "({ f() { return 1 } })",
            "String.raw`x`",
            "(f => f(f))(f => f(f))",
            "a; b",
            "1 2",
            "",
            " ",
            "data.",
            "(",
            "{{a}}",
            "data.x; // no",
            "<a/>",
            "data.x as any",
            "data.x!",
            "/(/",
            "debugger",
        ] {
            assert!(matches!(compile_script(text), Err(ScriptError::Invalid { .. })), "{text}");
        }
    }

    #[test]
    fn what_is_refused_has_a_place() {
        for (text, expected) in [
            ("data.x = 1", 0),
            ("1 + data.x++", 4),
            (" new Date()", 1),
            ("[1].map(eval)", 8),
            ("a.map(x => { throw x })", 13),
            ("1 2", 2),
            ("data.x +", 8),
            ("f(() => this)", 8),
            ("/(/", 1),
        ] {
            match compile_script(text) {
                Err(ScriptError::Invalid { at, .. }) => assert_eq!(at, expected, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn arrow_functions_may_have_bodies_that_only_decide_and_return() {
        assert_eq!(
            code("data.list.map(i => { if (i.ok) { return i.id } return null; })"),
            "data?.list?.map(i => { if (i?.ok) { return i?.id } return null; })"
        );
    }

    #[test]
    fn a_script_may_have_1000_characters() {
        let longest = format!("'{}'", "é".repeat(998));
        assert!(compile_script(&longest).is_ok());
        assert_eq!(compile_script(&format!("{longest} ")).unwrap_err(), ScriptError::TooLong);
    }

    #[test]
    fn the_deepest_nesting_does_not_overflow_the_stack() {
        for unit in ["(", "[", "{a:", "!", "-", "x=>", "`${", "a[", "f(", "a?b:", "typeof ", "a+", "(a=>"] {
            let _ = compile_script(&unit.repeat(1000 / unit.len()));
            let _ = compile_script(&unit.repeat(MAX_BYTES_ON_ANY_STACK / unit.len()));
        }
        assert!(compile_script(&format!("{}1{}", "(".repeat(499), ")".repeat(499))).is_ok());
        assert!(compile_script(&format!("{}1", "1+".repeat(499))).is_ok());
    }

    #[test]
    fn scripts_that_could_change_their_values_are_known() {
        for (text, mutates) in [
            ("data.list.map(i => i.id).join(',')", false),
            ("Object.keys(data.x).length", false),
            ("data.a[step.b]", false),
            ("data.list.sort()", true),
            ("data.list.map(data.list.push, data.list)", true),
            ("[data.a].map(Object.assign)", true),
            ("data.list['push'](1)", true),
            ("[1].map(data.list[step.name], data.list)", true),
            ("(({push}) => 1)(data.list)", true),
            ("data.constructor.assign(data, {})", true),
            ("{__proto__: data.list}", true),
        ] {
            assert_eq!(compile_script(text).unwrap().mutates, mutates, "{text}");
        }
    }
}
