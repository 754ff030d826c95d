//! Everything that happened to an instance.

use std::fmt::Write;

use serde_json::{Value, json};
use trunkline_workflow::InstanceId;

use crate::cli::error::CliError;
use crate::cli::output::{Output, cell, print_json, time};
use crate::cli::settings::AccountApi;

pub(super) async fn show_history(api: &AccountApi, id: InstanceId, output: Output) -> Result<(), CliError> {
    let mut cursor: Option<String> = None;
    let mut all = Vec::new();
    loop {
        let after = cursor.as_deref().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let mut page =
            api.server.get(&api.path(&format!("/instances/{id}/history?limit=500{after}"))).await?;
        let items = page["items"].as_array_mut().map(std::mem::take).unwrap_or_default();
        match output {
            Output::Json => all.extend(items),
            Output::Table => items.iter().for_each(|item| print!("{}", tell(item))),
        }
        match page["next"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    if output == Output::Json {
        print_json(&json!({"instanceId": id.to_string(), "items": all}));
    }
    Ok(())
}

/// A line, and for each thing that is known more of it an indented one.
fn tell(item: &Value) -> String {
    let kind = item["kind"].as_str().unwrap_or_default();
    let what = &item[kind];
    let (line, more) = match kind {
        "attempt" => (
            format!(
                "{} ({}) attempt {} {}",
                cell(&what["step"]),
                cell(&what["stepType"]),
                what["attempt"],
                cell(&what["outcome"])
            ),
            more_of_attempt(what),
        ),
        "step" => (
            format!("{} ({}) {}", cell(&what["step"]), cell(&what["stepType"]), cell(&what["status"])),
            one("error", &what["error"]),
        ),
        "receipt" => {
            let mut more = one("error", &what["errorMessage"]);
            more.extend(one("code", &what["errorCode"]));
            (format!("message {} is {}", cell(&what["messageId"]), cell(&what["state"])), more)
        }
        "event" => {
            let name = if what["trigger"].is_null() { &what["state"] } else { &what["trigger"] };
            let did = if what["started"] == true { "started the instance" } else { "ended a wait" };
            (format!("event {} ({}) {did}", cell(&what["id"]), cell(name)), Vec::new())
        }
        "action" => {
            let actor = &what["actor"];
            let who = if actor["name"].is_null() { &actor["kind"] } else { &actor["name"] };
            (format!("{} by {}", cell(&what["action"]), cell(who)), one("reason", &what["reason"]))
        }
        other => (other.to_owned(), Vec::new()),
    };
    let mut text = format!("{}  {line}\n", time(&item["at"]));
    for (name, value) in more {
        writeln!(text, "    {name:<9} {value}").expect("a string takes all");
    }
    text
}

type More = Vec<(&'static str, String)>;

fn one(name: &'static str, value: &Value) -> More {
    if value.is_null() { Vec::new() } else { vec![(name, cell(value))] }
}

fn more_of_attempt(attempt: &Value) -> More {
    let mut more = one("error", &attempt["error"]);
    more.extend(one("worker", &attempt["worker"]));
    more.extend(one("message", &attempt["messageId"]));
    more.extend(excerpt("inputs", &attempt["inputs"]));
    for exchange in attempt["exchanges"].as_array().into_iter().flatten() {
        let (request, response) = (&exchange["request"], &exchange["response"]);
        let took = cell(&exchange["milliseconds"]);
        more.push(("request", format!("{} {}", cell(&request["method"]), cell(&request["url"]))));
        more.extend(excerpt("  body", &request["body"]));
        if response.is_object() {
            let (status, reason) = (&response["status"], cell(&response["reason"]));
            more.push(("answer", format!("{status} {reason} after {took} ms")));
            more.extend(excerpt("  body", &response["body"]));
        } else {
            more.push(("answer", format!("none after {took} ms: {}", cell(&exchange["error"]))));
        }
    }
    more.extend(excerpt("outputs", &attempt["outputs"]));
    more
}

fn excerpt(name: &'static str, excerpt: &Value) -> More {
    if excerpt.is_null() {
        return Vec::new();
    }
    let kept = if excerpt["text"].is_string() { cell(&excerpt["text"]) } else { excerpt["json"].to_string() };
    let kept = if excerpt["text"].is_null() && excerpt["json"].is_null() { String::new() } else { kept };
    let size = &excerpt["size"];
    let cut = if excerpt["cut"] == true { format!("… (of {size} bytes)") } else { String::new() };
    vec![(name, format!("{kept}{cut}"))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_line() {
        let at = "2026-02-03T04:05:06.78Z";
        let attempt = json!({"at": at, "kind": "attempt", "attempt": {"step": "ask", "stepType": "HttpRequest",
            "attempt": 2, "outcome": "failed", "error": "No.", "worker": null, "messageId": null,
            "inputs": {"json": {"a": 1}, "size": 7, "cut": false}, "outputs": null, "exchanges": [
                {"request": {"method": "GET", "url": "http://h/", "headers": [], "body": null}, "milliseconds": 5,
                    "response": {"status": 404, "reason": "Not Found", "body": {"text": "abc", "size": 9, "cut": true}}},
                {"request": {"method": "GET", "url": "http://h/"}, "response": null, "error": "Refused",
                    "milliseconds": 1}]}});
        assert_eq!(
            tell(&attempt),
            "2026-02-03 04:05:06  ask (HttpRequest) attempt 2 failed
    error     No.
    inputs    {\"a\":1}
    request   GET http://h/
    answer    404 Not Found after 5 ms
      body    abc… (of 9 bytes)
    request   GET http://h/
    answer    none after 1 ms: Refused
"
        );
        for (kind, what, line) in [
            ("step", json!({"step": "a", "stepType": "Branch", "status": "Complete"}), "a (Branch) Complete"),
            ("receipt", json!({"messageId": "m", "state": "read"}), "message m is read"),
            (
                "event",
                json!({"id": 7, "trigger": "inbound_sms", "started": true}),
                "event 7 (inbound_sms) started the instance",
            ),
            (
                "event",
                json!({"id": 8, "trigger": null, "state": "read", "started": false}),
                "event 8 (read) ended a wait",
            ),
            (
                "action",
                json!({"action": "instance.suspend", "actor": {"kind": "key", "name": "me"}}),
                "instance.suspend by me",
            ),
        ] {
            assert_eq!(
                tell(&json!({"at": at, "kind": kind, kind: what})),
                format!("2026-02-03 04:05:06  {line}\n")
            );
        }
    }
}
