//! `HttpRequest` (spec 3.5.3).

use std::time::Duration;

use serde_json::{Map, Value, json};
use trunkline_connectors::outbound::{
    OutboundError, OutboundRequest, OutboundResponse, call_failed, parse_json_body,
};
use trunkline_store::clock;
use trunkline_workflow::inputs;

use super::{Activity, Input, input_required};
use crate::measure::Provider;
use crate::tools::TextAnswers;

/// Seconds: the default and the bounds (U-04).
const DEFAULT_TIMEOUT: u64 = 5;
const TIMEOUTS: std::ops::RangeInclusive<u64> = 1..=120;

/// Answers after which a step that asks for retries tries again.
const WORTH_ANOTHER_TRY: [u16; 7] = [408, 425, 429, 500, 502, 503, 504];

pub(super) async fn execute(input: Input<'_>) -> Activity {
    let members = input.members();
    let text = |name| inputs::text(&members, name).filter(|text| !text.trim().is_empty());
    let Some(url) = text("url") else { return input_required(input.step, "url") };
    let Some(method) = text("method") else { return input_required(input.step, "method") };
    let method = method.trim().to_ascii_uppercase();
    for name in ["parameters", "headers"] {
        if inputs::get(&members, name).is_some_and(|value| !value.is_object()) {
            let message = format!("Step '{}': input '{name}' must be an object.", input.step.id);
            return Activity::Failed { message };
        }
    }
    let url = with_parameters(url.trim(), inputs::get(&members, "parameters"));
    let body = body(&method, inputs::get(&members, "body"));
    let key = input.job.id().as_uuid().to_string();
    let headers = match headers(inputs::get(&members, "headers"), body.is_some(), key) {
        Ok(headers) => headers,
        Err(message) => return Activity::Failed { message },
    };
    let request = OutboundRequest {
        method: method.clone(),
        url: url.clone(),
        headers,
        body,
        timeout: timeout(&members),
        follow_redirects: true,
    };
    if let Err(activity) = input.leave(None).await {
        return activity;
    }
    if let Err(activity) = input.begin_effect().await {
        return activity;
    }
    match input.client(Provider::Http).send(request).await {
        Ok(response) => answered(&response, input.tools.rules.text_answers),
        Err(error) => {
            let message = call_failed(&error, &method, &url);
            match error {
                OutboundError::NotSent(_) => Activity::Retry { after: None, message },
                OutboundError::Refused(_) | OutboundError::Unknown(_) | OutboundError::TooLarge => {
                    Activity::Failed { message }
                }
            }
        }
    }
}

fn answered(response: &OutboundResponse, text_answers: TextAnswers) -> Activity {
    let body = match (parse_json_body(&response.body), text_answers) {
        (Ok(body), _) => body,
        (Err(_), TextAnswers::Keep) => String::from_utf8_lossy(&response.body).into_owned().into(),
        (Err(message), TextAnswers::Fault) => return Activity::Failed { message },
    };
    let result = json!({
        "responseCode": response.status,
        "reasonPhrase": response.reason,
        "responseBody": body,
    });
    if !WORTH_ANOTHER_TRY.contains(&response.status) {
        return Activity::Done(result);
    }
    let after = response.retry_after(clock::now());
    let message = format!("HTTP {} {}", response.status, response.reason);
    Activity::Unwelcome { result, after, message }
}

fn timeout(members: &Map<String, Value>) -> Duration {
    let seconds = inputs::text(members, "timeoutSeconds").and_then(|text| text.trim().parse::<f64>().ok());
    let seconds = seconds.filter(|seconds| seconds.is_finite()).map_or(DEFAULT_TIMEOUT, |seconds| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped just after")]
        let whole = seconds.max(0.0).ceil() as u64;
        whole
    });
    Duration::from_secs(seconds.clamp(*TIMEOUTS.start(), *TIMEOUTS.end()))
}

/// Query parameters, appended to any that the URL has already. Null ones are left out.
fn with_parameters(url: &str, parameters: Option<&Value>) -> String {
    let Some(Value::Object(parameters)) = parameters else { return url.to_owned() };
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in parameters {
        match value {
            Value::Null => {}
            Value::String(text) => _ = query.append_pair(name, text),
            other => _ = query.append_pair(name, &other.to_string()),
        }
    }
    let query = query.finish();
    if query.is_empty() {
        return url.to_owned();
    }
    let (url, fragment) = url.split_once('#').map_or((url, None), |(url, f)| (url, Some(f)));
    let separator = match url.split_once('?') {
        None => "?",
        Some((_, "")) => "",
        Some((_, existing)) if existing.ends_with('&') => "",
        Some(_) => "&",
    };
    let fragment = fragment.map(|f| format!("#{f}")).unwrap_or_default();
    format!("{url}{separator}{query}{fragment}")
}

/// Methods whose empty body is no body (exports carry `body: {}` on GET steps).
fn body(method: &str, body: Option<&Value>) -> Option<Vec<u8>> {
    let body = body?;
    let bodiless = matches!(method, "GET" | "HEAD" | "DELETE" | "OPTIONS");
    let empty = body.as_object().is_some_and(Map::is_empty);
    if bodiless && empty { None } else { Some(body.to_string().into_bytes()) }
}

/// The author's headers, and ours where the author has none.
fn headers(given: Option<&Value>, has_body: bool, key: String) -> Result<Vec<(String, String)>, String> {
    let mut headers: Vec<(String, String)> = Vec::new();
    if let Some(Value::Object(given)) = given {
        for (name, value) in given {
            match value {
                Value::Null => {}
                Value::String(text) => headers.push((name.clone(), text.clone())),
                Value::Number(_) | Value::Bool(_) => headers.push((name.clone(), value.to_string())),
                Value::Array(_) | Value::Object(_) => return Err(format!("Header '{name}' must be a text.")),
            }
        }
    }
    let mut default = |name: &str, value: String| {
        if !headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name)) {
            headers.push((name.to_owned(), value));
        }
    };
    if has_body {
        default("Content-Type", "application/json".to_owned());
    }
    default("Accept", "application/json".to_owned());
    default("Idempotency-Key", key);
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_encoded_and_join_the_query_that_is_there() {
        let parameters = json!({"a b": "c&d", "n": 1, "none": null, "yes": true});
        for (url, expected) in [
            ("http://h/p", "http://h/p?a+b=c%26d&n=1&yes=true"),
            ("http://h/p?", "http://h/p?a+b=c%26d&n=1&yes=true"),
            ("http://h/p?x=1", "http://h/p?x=1&a+b=c%26d&n=1&yes=true"),
            ("http://h/p?x=1&#top", "http://h/p?x=1&a+b=c%26d&n=1&yes=true#top"),
        ] {
            assert_eq!(with_parameters(url, Some(&parameters)), expected);
        }
        assert_eq!(with_parameters("http://h/?q", Some(&json!({}))), "http://h/?q");
    }

    #[test]
    fn c_159_an_empty_body_of_a_get_is_no_body() {
        let empty = json!({});
        assert_eq!(body("GET", Some(&empty)), None);
        assert_eq!(body("DELETE", None), None);
        assert_eq!(body("GET", Some(&json!({"a": 1}))), Some(br#"{"a":1}"#.to_vec()));
        assert_eq!(body("POST", Some(&empty)), Some(b"{}".to_vec()));
    }

    #[test]
    fn timeouts_stay_within_their_bounds() {
        for (given, seconds) in [
            (json!(null), 5),
            (json!(20), 20),
            (json!("30"), 30),
            (json!(0), 1),
            (json!(-3), 1),
            (json!(1.2), 2),
            (json!(1e9), 120),
            (json!("soon"), 5),
            (json!(0.2), 1),
        ] {
            let members = Map::from_iter([("TimeoutSeconds".to_owned(), given.clone())]);
            assert_eq!(timeout(&members), Duration::from_secs(seconds), "{given}");
        }
    }

    #[test]
    fn our_headers_stand_back_behind_the_authors() {
        let given = json!({"content-Type": "application/json; v=2", "X-Count": 3, "gone": null});
        let headers = headers(Some(&given), true, "key".to_owned()).unwrap();
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["content-Type", "X-Count", "Accept", "Idempotency-Key"]);
        assert!(super::headers(Some(&json!({"a": []})), false, String::new()).is_err());
    }
}
