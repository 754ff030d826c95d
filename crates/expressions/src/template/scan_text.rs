//! Finds the scripts in a string.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'a> {
    Literal(&'a str),
    /// The text between `{{` and `}}`.
    Script(&'a str),
}

impl Part<'_> {
    /// Bytes, the braces included.
    pub(super) fn length(self) -> usize {
        match self {
            Self::Literal(text) => text.len(),
            Self::Script(text) => text.len() + 4,
        }
    }
}

/// The parts of a string, in order; none of them is an empty literal. A `{{` that is never closed is
/// literal, with all that follows.
pub(super) fn scan_text(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find("{{")
        && let Some(length) = script_length(&rest[open + 2..])
    {
        if open > 0 {
            parts.push(Part::Literal(&rest[..open]));
        }
        let start = open + 2;
        parts.push(Part::Script(&rest[start..start + length]));
        rest = &rest[start + length + 2..];
    }
    if !rest.is_empty() {
        parts.push(Part::Literal(rest));
    }
    parts
}

/// How many bytes there are before the `}}` that ends the script: the first one outside string literals,
/// template literals, regular expressions and nested braces.
fn script_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    // What is open: a brace or a template literal.
    let mut open = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        if open.last() == Some(&b'`') {
            match byte {
                b'\\' => at += 1,
                b'`' => drop(open.pop()),
                b'$' if bytes.get(at + 1) == Some(&b'{') => {
                    open.push(b'{');
                    at += 1;
                }
                _ => {}
            }
        } else {
            match byte {
                b'\'' | b'"' => at = skip_string(bytes, at)?,
                b'/' => at = skip_regular_expression(bytes, at),
                b'{' | b'`' => open.push(byte),
                b'}' if open.is_empty() && bytes.get(at + 1) == Some(&b'}') => return Some(at),
                b'}' => drop(open.pop()),
                _ => {}
            }
        }
        at += 1;
    }
    None
}

/// Where the string literal that starts here ends; a line end ends a literal that was never closed.
fn skip_string(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match *bytes.get(at)? {
            b'\\' => at += 1,
            b'\n' => return Some(at),
            byte if byte == bytes[start] => return Some(at),
            _ => {}
        }
        at += 1;
    }
}

/// Where the regular expression that starts here ends; `start` when the slash is a division.
fn skip_regular_expression(bytes: &[u8], start: usize) -> usize {
    let before = bytes[..start].iter().rev().find(|byte| !byte.is_ascii_whitespace());
    if before.is_some_and(|byte| !b"(,=:[!&|?{;+-*%<>~^".contains(byte)) {
        return start;
    }
    let mut in_class = false;
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 1,
            b'\n' => break,
            b'[' => in_class = true,
            b']' => in_class = false,
            b'/' if !in_class => return at,
            _ => {}
        }
        at += 1;
    }
    start
}

#[cfg(test)]
mod tests {
    use super::Part::{Literal, Script};
    use super::*;

    #[test]
    fn scripts_end_at_the_first_braces_outside_literals() {
        for (text, expected) in [
            ("plain", vec![Literal("plain")]),
            ("", vec![]),
            ("{{a}}", vec![Script("a")]),
            ("x {{a}} y{{b}}", vec![Literal("x "), Script("a"), Literal(" y"), Script("b")]),
            ("{{ {a: {b: 1}}.a.b }}", vec![Script(" {a: {b: 1}}.a.b ")]),
            ("{{{a: 1}}}", vec![Script("{a: 1}")]),
            ("{{'}}'}}", vec![Script("'}}'")]),
            (r#"{{"\"}}"}}!"#, vec![Script(r#""\"}}""#), Literal("!")]),
            ("{{`}}${ {a: `}}`}.a }}}`}}", vec![Script("`}}${ {a: `}}`}.a }}}`")]),
            (r"{{a.replace(/'[/}}]\/'/g, '')}}", vec![Script(r"a.replace(/'[/}}]\/'/g, '')")]),
            ("{{a / 2}}{{b / 2}}", vec![Script("a / 2"), Script("b / 2")]),
            ("{{a", vec![Literal("{{a")]),
            ("x{{a}} {{b", vec![Literal("x"), Script("a"), Literal(" {{b")]),
            ("{{it's}} {{b}}", vec![Literal("{{it's}} {{b}}")]),
            ("}} {{é}}", vec![Literal("}} "), Script("é")]),
            ("{{}}", vec![Script("")]),
        ] {
            assert_eq!(scan_text(text), expected, "{text}");
        }
    }
}
