//! The request of the current generation: a list of actions that begins with the call itself
//! (spec 8.4.1 and 8.4.2).

use serde_json::{Map, Value, json};

use super::read_call::{Action, CLIENT_REQUEST_ID, Call, VALID_UNTIL};

/// Most digits that the platform captures.
const MOST_DIGITS: i64 = 25;

/// What is sent for members that the author left out, because the platform's own documents
/// disagree about its defaults (X31): of the two, those that fit a menu, "press 1 or 2".
const DIGITS: i64 = 1;
const OVERALL_TIMEOUT_MS: i64 = 5000;
const TRIES: i64 = 1;

pub(super) fn callflow(call: &Call) -> Value {
    let params = &call.params;
    let mut actions = vec![action("makeCall", &members(params, &["source", "destination"]))];
    match call.action {
        Action::Say => {
            let says = ["text", "voiceProfile", "language", "repetition", "speed"];
            actions.push(action("say", &members(params, &says)));
            actions.push(json!({"action": "hangup"}));
        }
        Action::PlayFile => {
            actions.push(action("playFile", &members(params, &["fileUrl", "repetition"])));
            actions.push(json!({"action": "hangup"}));
        }
        // Nothing after it: the digits would be lost. The answer to the event hangs up.
        Action::Capture => actions.push(action("sayAndCapture", &capture(params))),
    }
    let mut body = Map::new();
    if let Some(id) = &call.client_request_id {
        body.insert(CLIENT_REQUEST_ID.to_owned(), json!(id));
    }
    if let Some(time) = &call.valid_until {
        body.insert(VALID_UNTIL.to_owned(), time.clone());
    }
    body.insert("callflow".to_owned(), Value::Array(actions));
    Value::Object(body)
}

fn action(name: &str, params: &Map<String, Value>) -> Value {
    json!({"action": name, "params": params})
}

fn members(params: &Map<String, Value>, names: &[&str]) -> Map<String, Value> {
    let present = |name: &&str| Some(((*name).to_owned(), params.get(*name)?.clone()));
    names.iter().filter_map(present).collect()
}

fn capture(params: &Map<String, Value>) -> Map<String, Value> {
    let mut params = params.clone();
    // The step speaks the first generation's words; the platform's own are taken as well.
    for (word, own) in [("text", "promptMessage"), ("endMessage", "successMessage")] {
        if let Some(value) = params.shift_remove(word) {
            params.entry(own).or_insert(value);
        }
    }
    agree(&mut params);
    members(
        &params,
        &[
            "promptMessage",
            "voiceProfile",
            "speed",
            "minDigits",
            "maxDigits",
            "digitTimeout",
            "overallTimeout",
            "completeOnHash",
            "noOfTries",
            "successMessage",
            "failureMessage",
        ],
    )
}

/// Makes the members fit each other, as the platform refuses what does not: `minDigits` and
/// `completeOnHash: false` need `maxDigits`, and `digitTimeout` needs a longer `overallTimeout`.
fn agree(params: &mut Map<String, Value>) {
    let whole = |params: &Map<String, Value>, name: &str| params.get(name).and_then(Value::as_i64);
    if !params.contains_key("maxDigits") {
        let least = whole(params, "minDigits").unwrap_or(DIGITS);
        // Whoever ends with the hash key does not say how many digits there will be.
        let ends_with_hash = params.get("completeOnHash").and_then(Value::as_bool).unwrap_or_default();
        let most = if ends_with_hash { MOST_DIGITS } else { DIGITS };
        params.insert("maxDigits".to_owned(), json!(most.max(least)));
    }
    let digit_timeout = whole(params, "digitTimeout");
    if !params.contains_key("overallTimeout") {
        let longer = digit_timeout.map_or(OVERALL_TIMEOUT_MS, |timeout| timeout.saturating_add(1));
        params.insert("overallTimeout".to_owned(), json!(longer.max(OVERALL_TIMEOUT_MS)));
    }
    if let (Some(digit), Some(overall)) = (digit_timeout, whole(params, "overallTimeout"))
        && digit >= overall
    {
        // The builder's own defaults are equal.
        if overall > 1 {
            params.insert("digitTimeout".to_owned(), json!(overall - 1));
        } else {
            params.shift_remove("digitTimeout");
        }
    }
    params.entry("noOfTries").or_insert(json!(TRIES));
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::capture;

    #[test]
    fn what_the_author_left_out_of_a_capture_is_sent_explicitly_and_fits_the_rest() {
        for (given, sent) in [
            (json!({}), json!({"maxDigits": 1, "overallTimeout": 5000, "noOfTries": 1})),
            (
                json!({"minDigits": 4}),
                json!({"minDigits": 4, "maxDigits": 4, "overallTimeout": 5000, "noOfTries": 1}),
            ),
            (
                json!({"completeOnHash": false}),
                json!({"maxDigits": 1, "overallTimeout": 5000, "completeOnHash": false, "noOfTries": 1}),
            ),
            (
                json!({"completeOnHash": true, "minDigits": 2}),
                json!({"minDigits": 2, "maxDigits": 25, "overallTimeout": 5000, "completeOnHash": true,
                    "noOfTries": 1}),
            ),
            (
                json!({"digitTimeout": 3000}),
                json!({"maxDigits": 1, "digitTimeout": 3000, "overallTimeout": 5000, "noOfTries": 1}),
            ),
            (
                json!({"digitTimeout": 5000}),
                json!({"maxDigits": 1, "digitTimeout": 5000, "overallTimeout": 5001, "noOfTries": 1}),
            ),
            (
                json!({"digitTimeout": 5000, "overallTimeout": 5000}),
                json!({"maxDigits": 1, "digitTimeout": 4999, "overallTimeout": 5000, "noOfTries": 1}),
            ),
            (
                json!({"digitTimeout": 9000, "overallTimeout": 5000}),
                json!({"maxDigits": 1, "digitTimeout": 4999, "overallTimeout": 5000, "noOfTries": 1}),
            ),
            (
                json!({"digitTimeout": 1, "overallTimeout": 1}),
                json!({"maxDigits": 1, "overallTimeout": 1, "noOfTries": 1}),
            ),
            (
                json!({"maxDigits": 3, "digitTimeout": 100, "overallTimeout": 200, "noOfTries": 2}),
                json!({"maxDigits": 3, "digitTimeout": 100, "overallTimeout": 200, "noOfTries": 2}),
            ),
            (
                json!({"digitTimeout": "soon", "overallTimeout": 10}),
                json!({"maxDigits": 1, "digitTimeout": "soon", "overallTimeout": 10, "noOfTries": 1}),
            ),
        ] {
            assert_eq!(Value::Object(capture(given.as_object().unwrap())), sent, "{given}");
        }
    }

    #[test]
    fn the_platforms_own_words_are_taken_too_and_win() {
        let given = json!({"text": "a", "promptMessage": "b", "endMessage": "c", "failureMessage": "e"});
        let sent = Value::Object(capture(given.as_object().unwrap()));
        assert_eq!(sent["promptMessage"], "b");
        assert_eq!(sent["successMessage"], "c");
        assert_eq!(sent["failureMessage"], "e");
    }
}
