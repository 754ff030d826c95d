//! `failover` (Dispatch 4.6).

use serde_json::json;

use super::*;
use crate::dispatch::{Condition, Rules, Strictness, parse_with};

fn expiring(expiry: Value) -> Value {
    with(canonical(), "/workflow/0/failover/expiry_time", expiry)
}

/// Two steps on this channel, the first of which waits for this.
fn waiting(channel: Channel, condition: &str) -> Value {
    let failover = json!({"expiry_time": 600, "condition_status": condition});
    json!({"template": "failover", "workflow": [with(step(channel), "/failover", failover), step(channel)]})
}

#[test]
fn n_032_every_step_but_the_last_has_a_failover() {
    assert_eq!(refused(&without(canonical(), "/workflow/0/failover")), ["workflow[0].failover"]);
    for (failover, reason) in
        [(json!(null), "is required"), (json!("x"), "must be an object"), (json!([]), "must be an object")]
    {
        let body = with(canonical(), "/workflow/0/failover", failover);
        assert_eq!(list(parse(body.to_string().as_bytes()))[0].reason, reason);
        assert_eq!(refused(&body), ["workflow[0].failover"]);
    }
    let step = &canonical()["workflow"][1];
    let body = with(canonical(), "/workflow", json!([step, step, step]));
    assert_eq!(refused(&body), ["workflow[0].failover", "workflow[1].failover"]);
}

#[test]
fn n_033_the_last_steps_failover_means_nothing() {
    for failover in [
        json!({"expiry_time": 600, "condition_status": "read"}),
        json!({"expiry_time": 1, "condition_status": "seen"}),
        json!("x"),
        json!(null),
    ] {
        let found = accepted(&with(canonical(), "/workflow/1/failover", failover));
        assert_eq!(found, accepted(&canonical()));
    }
}

#[test]
fn n_034_a_single_step_needs_no_failover() {
    let single = |step: &Value| accepted(&json!({"template": "failover", "workflow": [step]}));
    for channel in Channel::ALL {
        assert_eq!(single(&step(channel)).messages, [accepted_step(&step(channel))]);
    }
    assert_eq!(single(&canonical()["workflow"][0]).messages[0].failover, None);
}

#[test]
fn n_035_a_step_expires_after_15_to_86400_whole_seconds() {
    for (expiry, seconds) in [
        ("15", 15),
        ("600", 600),
        ("86400", 86_400),
        ("\"15\"", 15),
        ("\"600\"", 600),
        ("\"0600\"", 600),
        ("\"86400\"", 86_400),
    ] {
        let body = expiring("HERE".into()).to_string().replace("\"HERE\"", expiry);
        let found = parse(body.as_bytes()).unwrap();
        assert_eq!(found.messages[0].failover.unwrap().expiry, seconds, "{expiry}");
    }
    for expiry in [
        "14",
        "86401",
        "15.5",
        "600.0",
        "6e2",
        "600e0",
        "-1",
        "-600",
        "0",
        "4294967896",
        "18446744073709551615",
        "99999999999999999999",
        "\"abc\"",
        "\"\"",
        "\"14\"",
        "\"86401\"",
        "\"15.5\"",
        "\"6e2\"",
        "\"+600\"",
        "\"-600\"",
        "\" 600\"",
        "\"0x20\"",
        "\"٦٠٠\"",
        "\"99999999999999999999\"",
        "true",
        "[600]",
        "{}",
    ] {
        let body = expiring("HERE".into()).to_string().replace("\"HERE\"", expiry);
        let mut list = list(parse(body.as_bytes()));
        let InvalidParameter { name, reason } = list.remove(0);
        assert_eq!(name, "workflow[0].failover.expiry_time", "{expiry}");
        assert_eq!(reason, "must be an integer between 15 and 86400");
        assert!(list.is_empty());
    }
    for body in [expiring(Value::Null), without(canonical(), "/workflow/0/failover/expiry_time")] {
        assert_eq!(refused(&body), ["workflow[0].failover.expiry_time"]);
    }
}

#[test]
fn n_036_a_step_waits_for_delivered_or_read() {
    for (word, condition) in [("delivered", Condition::Delivered), ("read", Condition::Read)] {
        assert_eq!(accepted(&waiting(Channel::Messenger, word)).messages[0].condition(), condition);
    }
    let name = "workflow[0].failover.condition_status";
    for other in ["submitted", "rejected", "Read", "READ", "seen", ""] {
        assert_eq!(refused(&waiting(Channel::Messenger, other)), [name], "{other}");
    }
    let pointer = "/workflow/0/failover/condition_status";
    for other in [json!(null), json!(1), json!(["read"])] {
        assert_eq!(refused(&with(canonical(), pointer, other)), [name]);
    }
    assert_eq!(refused(&without(canonical(), pointer)), [name]);
    let empty = with(canonical(), "/workflow/0/failover", json!({}));
    assert_eq!(refused(&empty), ["workflow[0].failover.expiry_time", name]);
}

#[test]
fn n_037_reading_may_be_waited_for_where_nobody_tells_it_unless_we_are_strict() {
    let strict = Rules { strictness: Strictness::Strict, ..Rules::default() };
    for channel in Channel::ALL {
        for condition in ["delivered", "read"] {
            let body = waiting(channel, condition);
            accepted(&body);
            let found = parse_with(body.to_string().as_bytes(), strict);
            if condition == "read" && matches!(channel, Channel::Sms | Channel::Mms) {
                let InvalidParameter { name, reason } = list(found).remove(0);
                assert_eq!(name, "workflow[0].failover.condition_status");
                let never =
                    format!("must be `delivered` on {}, which never reports `read`", channel.as_str());
                assert_eq!(reason, never);
            } else {
                assert!(found.is_ok(), "{channel:?} {condition}");
            }
        }
    }
}
