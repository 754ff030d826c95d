//! Why the provider refused a message, from its answer (spec 12.3, 12.4).
//!
//! The answer is a problem document. Its `type` ends in `#` and a word or a number; a number is not
//! an `error.code`, but leads to one. Only of 401, 402 and 403 does the status alone decide.

use serde_json::Value;

use super::address::text;
use super::status_code::{
    ILLEGAL_SENDER, INTERNAL_ERROR, INVALID_PARAMS, INVALID_RECIPIENT, NOT_ALLOWED, QUOTA_EXCEEDED,
    StatusError, THROTTLED, UNKNOWN,
};
use crate::lenient_json::lenient_json;
use crate::outbound::OutboundResponse;

/// What is made of a refusal.
pub(super) struct Refusal {
    pub(super) error: StatusError,
    /// The account itself is not let in: no message of it will be accepted until somebody acts.
    pub(super) alarm: bool,
}

pub(super) fn read_refusal(response: &OutboundResponse) -> Refusal {
    let problem = lenient_json(&response.body).unwrap_or_default();
    let code = match response.status {
        401 | 403 => NOT_ALLOWED,
        402 => QUOTA_EXCEEDED,
        _ => code_of_type(problem["type"].as_str().unwrap_or_default()),
    };
    // A redirect says that the base URL is not where the API is.
    let alarm = matches!(response.status, 401 | 403 | 300..=399) || names_access(&problem);
    Refusal { error: StatusError::of(code), alarm }
}

fn code_of_type(problem_type: &str) -> i64 {
    match fragment(problem_type).as_str() {
        "invalidparams" | "1110" | "1150" => INVALID_PARAMS,
        "1120" => ILLEGAL_SENDER,
        "110" => INVALID_RECIPIENT,
        "1140" | "1100" => NOT_ALLOWED,
        "low-balance" => QUOTA_EXCEEDED,
        word if is_access(word) => NOT_ALLOWED,
        "1000" | "throttled" => THROTTLED,
        "1030" | "internal" | "internal-error" => INTERNAL_ERROR,
        _ => UNKNOWN,
    }
}

fn names_access(problem: &Value) -> bool {
    problem["type"].as_str().is_some_and(|problem_type| is_access(&fragment(problem_type)))
}

/// `unathorized` is how v1 spells it.
fn is_access(word: &str) -> bool {
    matches!(word, "unprovisioned" | "unauthorized" | "unathorized" | "forbidden")
}

fn fragment(problem_type: &str) -> String {
    problem_type.rsplit_once('#').map_or(problem_type, |(_, fragment)| fragment).trim().to_lowercase()
}

/// The answer in a sentence: its title and detail, the fields that it complains about, and the
/// trace id to ask the provider by. Only the status line, when it says nothing.
pub(super) fn describe_answer(response: &OutboundResponse) -> String {
    let status = format!("HTTP {} {}", response.status, response.reason);
    let mut said = vec![format!("The Messages API answered {}", status.trim_end())];
    let problem = lenient_json(&response.body).unwrap_or_default();
    said.extend(text(&problem["title"]));
    said.extend(text(&problem["detail"]));
    // An object where there is but one, in some descriptions of the API.
    let fields = match &problem["invalid_parameters"] {
        Value::Array(fields) => fields.as_slice(),
        field => std::slice::from_ref(field),
    };
    for field in fields {
        let parts: Vec<String> = [&field["name"], &field["reason"]].into_iter().filter_map(text).collect();
        if !parts.is_empty() {
            said.push(parts.join(" "));
        }
    }
    said.extend(text(&problem["instance"]).map(|trace| format!("trace id {trace}")));
    let said: Vec<&str> = said.iter().map(|part| part.trim().trim_end_matches('.')).collect();
    format!("{}.", said.join(": "))
}
