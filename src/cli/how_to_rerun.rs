//! How instances are run again, as words of the command line.

use std::io::Read;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::error::CliError;

/// `failed`, `start`, a step's id or `message:2`; `step:start` for a step of such a name.
pub(super) fn parse_from(text: &str) -> Result<Value, String> {
    if let Some(number) = text.strip_prefix("message:") {
        let number = number.parse::<u32>().ok().filter(|number| *number >= 1);
        return number.map(|number| json!({ "message": number })).ok_or("it reads `message:2`".to_owned());
    }
    Ok(match text {
        "failed" | "start" => json!(text),
        step => json!({ "step": step.strip_prefix("step:").unwrap_or(step) }),
    })
}

/// `same`, `newest` or a number.
pub(super) fn parse_version(text: &str) -> Result<Value, String> {
    match text {
        "same" | "newest" => Ok(json!(text)),
        number => {
            let number = number.parse::<i32>().ok().filter(|number| *number >= 1);
            number.map(Value::from).ok_or("it is `same`, `newest` or a version's number".to_owned())
        }
    }
}

/// What the API calls a re-run.
pub(super) fn choice(
    from: Option<&Value>,
    version: Option<&Value>,
    context: Option<&Path>,
) -> Result<Map<String, Value>, CliError> {
    let mut choice = Map::new();
    let mut put = |name: &str, value: Option<Value>| value.map(|value| choice.insert(name.to_owned(), value));
    put("from", from.cloned());
    put("version", version.cloned());
    put("context", context.map(read_context).transpose()?);
    Ok(choice)
}

/// Of a file, or of the standard input when it is `-`.
fn read_context(file: &Path) -> Result<Value, CliError> {
    let failed = |action, source| CliError::File { action, path: file.to_owned(), source };
    let mut text = Vec::new();
    let read = if file == Path::new("-") {
        std::io::stdin().read_to_end(&mut text).map(drop)
    } else {
        std::fs::read(file).map(|read| text = read)
    };
    read.map_err(|source| failed("read", source))?;
    let members: Result<Map<String, Value>, _> = serde_json::from_slice(&text);
    members.map(Value::Object).map_err(|source| failed("read a JSON object from", source.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_is_a_word_a_step_or_a_message() {
        for (text, from) in [
            ("failed", json!("failed")),
            ("start", json!("start")),
            ("ask", json!({"step": "ask"})),
            ("step:start", json!({"step": "start"})),
            ("message:2", json!({"message": 2})),
        ] {
            assert_eq!(parse_from(text), Ok(from), "{text}");
        }
        assert!(parse_from("message:0").is_err() && parse_from("message:x").is_err());
        assert_eq!(parse_version("7"), Ok(json!(7)));
        assert!(parse_version("0").is_err() && parse_version("last").is_err());
    }
}
