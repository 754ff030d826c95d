//! The request as a whole (Dispatch 4.1, 4.2).

use serde_json::{Value, json};

use super::*;
use crate::dispatch::{Condition, Failover, Rules, parse_with};

#[test]
fn n_012_what_is_no_json_object_has_no_parameters() {
    for body in ["", "{\"template\": \"failover\",", "[]", "[{}]", "null", "\"failover\"", "{} {}"] {
        for error in [parse(body.as_bytes()).unwrap_err(), parse_message(body.as_bytes()).unwrap_err()] {
            assert!(matches!(error, RequestError::InvalidJson(_)), "{body}: {error:?}");
        }
    }
    let RequestError::InvalidJson(flaw) = parse(b"{\n  \"template\": failover}").unwrap_err() else {
        panic!("expected a place");
    };
    assert_eq!((flaw.line, flaw.column), (Some(2), Some(17)));
}

#[test]
fn n_013_characters_come_through_unchanged() {
    let text = "Grüße aus 東京 \u{1f69a} \u{0301} \"\\\u{7f}";
    let step = with(step(Channel::Whatsapp), "/message/content/text", text.into());
    let found = accepted_step(&step);
    assert_eq!(found.message["content"]["text"], text);
    let escaped = r#"{"from":{"type":"sms","number":"123"},"to":{"type":"sms","number":"447700900000"},
        "message":{"content":{"type":"text","text":"\u00fc\ud83d\ude9a"}}}"#;
    assert_eq!(parse_message(escaped.as_bytes()).unwrap().message["content"]["text"], "ü\u{1f69a}");
}

#[test]
fn the_canonical_request_is_understood() {
    let found = accepted(&canonical());
    assert_eq!(found.template, "failover");
    let [first, last] = &found.messages[..] else { panic!("{found:?}") };
    assert_eq!((first.channel, last.channel), (Channel::Messenger, Channel::Sms));
    assert_eq!(first.failover, Some(Failover { expiry: 600, condition: Condition::Read }));
    assert_eq!((first.condition(), last.condition()), (Condition::Read, Condition::Delivered));
    assert_eq!((last.sender(), last.recipient()), ("447700900001", "447700900000"));
    assert_eq!((last.failover, last.client_ref.as_ref()), (None, None));
}

#[test]
fn what_is_kept_reads_back_as_it_was() {
    let mut body = canonical();
    body["workflow"][0]["client_ref"] = "order-8812".into();
    body["workflow"][0]["channel"] = json!({"not": "ours"});
    body["workflow"][1]["from"]["number"] = 447_700_900_001_u64.into();
    let found = accepted(&body);
    let kept = serde_json::to_value(&found).unwrap();
    assert_eq!(kept["workflow"][0]["channel"], "messenger");
    assert_eq!(kept["workflow"][0]["failover"], json!({"expiry": 600, "condition": "read"}));
    assert_eq!(kept["workflow"][1].as_object().unwrap().keys().len(), 4);
    assert_eq!(serde_json::from_str::<Dispatch>(&kept.to_string()).unwrap(), found);
}

#[test]
fn n_028_a_missing_or_other_template_is_named() {
    assert_eq!(refused(&without(canonical(), "/template")), ["template"]);
    for template in
        [json!("sequence"), json!("Failover"), json!(""), json!(null), json!(1), json!(["failover"])]
    {
        assert_eq!(refused(&with(canonical(), "/template", template.clone())), ["template"], "{template}");
    }
}

#[test]
fn n_029_a_workflow_has_to_have_steps() {
    assert_eq!(refused(&without(canonical(), "/workflow")), ["workflow"]);
    for workflow in [json!([]), json!([null]), json!([null, null]), json!({}), json!("x"), json!(null)] {
        assert_eq!(refused(&with(canonical(), "/workflow", workflow.clone())), ["workflow"], "{workflow}");
    }
    assert_eq!(refused(&json!({})), ["template", "workflow"]);
}

#[test]
fn n_030_nulls_at_the_end_are_no_steps() {
    for nulls in 0..3 {
        let mut body = canonical();
        body["workflow"].as_array_mut().unwrap().extend(vec![Value::Null; nulls]);
        let found = accepted(&body);
        assert_eq!(found.messages.len(), 2);
        assert_eq!(found.messages[1].failover, None, "the last step is the one before the nulls");
    }
}

#[test]
fn n_031_nulls_elsewhere_are_problems() {
    for at in 0..2 {
        let mut body = canonical();
        body["workflow"].as_array_mut().unwrap().insert(at, Value::Null);
        assert_eq!(refused(&body), [format!("workflow[{at}]")]);
    }
    for other in [json!("step"), json!([]), json!(1)] {
        assert_eq!(refused(&with(canonical(), "/workflow/1", other)), ["workflow[1]"]);
    }
}

#[test]
fn as_many_steps_as_the_rules_allow() {
    let steps =
        |count: usize| with(canonical(), "/workflow", vec![canonical()["workflow"][0].clone(); count].into());
    assert_eq!(accepted(&steps(25)).messages.len(), 25);
    assert_eq!(refused(&steps(26)), ["workflow"]);
    let rules = Rules { most_steps: 3, ..Rules::default() };
    assert!(parse_with(steps(3).to_string().as_bytes(), rules).is_ok());
    let list = list(parse_with(steps(4).to_string().as_bytes(), rules));
    assert_eq!((list.len(), list[0].reason.as_str()), (1, "must have at most 3 steps"));
}

#[test]
fn n_051_all_problems_are_told_in_the_order_of_the_body() {
    let body = r#"{
        "workflow": [
            {
                "failover": {"condition_status": "seen", "expiry_time": 14},
                "to": {"number": "+447700900000", "type": "sms"},
                "message": {"content": {"type": "text", "text": ""}},
                "from": {"type": "sms"}
            },
            {"client_ref": 7, "to": {}, "from": {"type": "telegram"}}
        ],
        "template": "sequence"
    }"#;
    assert_eq!(
        names(list(parse(body.as_bytes()))),
        [
            "workflow[0].failover.condition_status",
            "workflow[0].failover.expiry_time",
            "workflow[0].to.number",
            "workflow[0].message.content.text",
            "workflow[0].from.number",
            "workflow[1].client_ref",
            "workflow[1].to.type",
            "workflow[1].from.type",
            "workflow[1].message",
            "template",
        ]
    );
    let RequestError::InvalidParameters(two) = parse(
        with(with(canonical(), "/template", "x".into()), "/workflow/1/to/number", "+44".into())
            .to_string()
            .as_bytes(),
    )
    .unwrap_err() else {
        panic!("expected a list");
    };
    assert_eq!(
        serde_json::to_value(two).unwrap(),
        json!([
            {"name": "template", "reason": "must be `failover`"},
            {"name": "workflow[1].to.number", "reason": "must not start with +"},
        ])
    );
}

#[test]
fn a_list_of_problems_has_an_end() {
    let parameters = json!({"type": "template", "template": {"name": "n", "parameters": vec![1; 1000]}});
    let step = with(step(Channel::ViberServiceMsg), "/message/content", parameters);
    assert_eq!(names_of_step(&step).len(), 200);
}

#[test]
fn n_052_members_that_nobody_knows_are_let_through_at_every_level() {
    let mut body = canonical();
    for pointer in [
        "",
        "/workflow/0",
        "/workflow/0/from",
        "/workflow/0/to",
        "/workflow/0/message",
        "/workflow/0/message/content",
        "/workflow/0/failover",
    ] {
        body.pointer_mut(pointer).unwrap()["extra"] = json!({"x": [1, null, 2.5]});
    }
    let found = accepted(&body);
    let step = without(body["workflow"][0].clone(), "/failover");
    let Message { from, to, message, others, .. } = found.messages[0].clone();
    let mut kept = json!({"from": from, "to": to, "message": message});
    kept.as_object_mut().unwrap().extend(others);
    assert_eq!(kept, step);
}

#[test]
fn n_053_a_reference_has_up_to_40_characters() {
    for reference in ["", "order-8812", &"ü".repeat(40)] {
        let found = accepted_step(&with(step(Channel::Sms), "/client_ref", reference.into()));
        assert_eq!(found.client_ref.as_deref(), Some(reference));
    }
    assert_eq!(accepted_step(&with(step(Channel::Sms), "/client_ref", Value::Null)).client_ref, None);
    for (reference, reason) in
        [(json!("x".repeat(41)), "must have at most 40 characters"), (json!(1), "must be a string")]
    {
        let step = with(step(Channel::Sms), "/client_ref", reference);
        assert_eq!(flaw(&step), ("client_ref".to_owned(), reason.to_owned()));
    }
}

#[test]
fn a_message_sent_alone_is_a_step_whose_failover_means_nothing() {
    let plain = step(Channel::Messenger);
    let found = accepted_step(&with(plain.clone(), "/failover", json!([{"not": "ours"}])));
    assert_eq!(found, accepted_step(&plain));
    assert_eq!(names_of_step(&json!({})), ["from", "to", "message"]);
    let broken = with(with(plain, "/to/id", "".into()), "/message/content", json!({"type": "x"}));
    assert_eq!(names_of_step(&broken), ["to.id", "message.content.type"]);
}
