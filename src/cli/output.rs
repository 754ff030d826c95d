//! In which form a command answers, and how values are written for people. Nothing is coloured.

use clap::ValueEnum;
use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    Table,
    /// As the server says it, for programs
    Json,
}

pub(super) fn print_json(value: &Value) {
    println!("{value:#}");
}

/// A value in one cell of a table: one line, a dash for what is not there.
pub(super) fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => one_line(text),
        other => other.to_string(),
    }
}

/// `2026-02-03T04:05:06.78Z` as `2026-02-03 04:05:06`, which is UTC.
pub(super) fn time(value: &Value) -> String {
    let text = value.as_str().unwrap_or("-");
    text.split('.').next().unwrap_or(text).replace('T', " ")
}

/// Control characters would do something to the terminal.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_shown_to_people_is_one_line() {
        assert_eq!(cell(&json!("a\nb\u{1b}[31m")), "a b [31m");
        assert_eq!((cell(&json!(null)).as_str(), cell(&json!(7)).as_str()), ("-", "7"));
        assert_eq!(time(&json!("2026-02-03T04:05:06.78Z")), "2026-02-03 04:05:06");
        assert_eq!(time(&json!(null)), "-");
    }
}
