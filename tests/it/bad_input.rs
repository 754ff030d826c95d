//! What is no good is refused where it stands: a clear answer, nothing stored, nothing stuck. What is taken is
//! shown again as it came.

mod alter;
pub mod bodies;
mod definitions;
mod tables;
mod writes;

use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::support::{Answer, inbound_sms};
use alter::{altered_strings, places, repeated_members, replacements};
use tables::rows;
use writes::{expect_served, start};

#[tokio::test]
async fn c_007_what_is_no_json_is_refused_by_every_operation_and_stores_nothing() {
    let (app, writes) = start().await;
    let before = rows(&app).await;
    for write in &writes {
        let good = write.good.to_string();
        let mut broken = bodies::no_json();
        // Cut off, wherever that is.
        let cuts = (1..good.len()).step_by(good.len() / 12 + 1);
        broken.extend(
            cuts.filter(|end| good.is_char_boundary(*end)).map(|end| good.as_bytes()[..end].to_vec()),
        );
        for body in broken {
            let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
            let message = write.expect_refusal(&write.send(&app, body).await, 1000);
            assert!(is_placed(&message), "{} {shown}: {message}", write.name);
        }
    }
    assert_eq!(rows(&app).await, before);
    expect_served(&app, &writes).await;
}

/// Whether it says where in the body something is wrong.
fn is_placed(message: &str) -> bool {
    message.starts_with("Invalid request body. ") && message.contains(" at line ")
}

/// JSON by its grammar, but readers differ about what it says, or PostgreSQL cannot store it.
#[tokio::test]
async fn c_007_duplicate_members_half_characters_and_nul_are_refused_with_their_place() {
    let (app, writes) = start().await;
    let before = rows(&app).await;
    for write in writes.iter().filter(|write| !write.is_webhook()) {
        let mut spoiled = repeated_members(&write.good);
        for escape in [r"a\ud800b", r"a\udc00b", r"a\u0000b"] {
            spoiled.extend(altered_strings(&write.good, escape));
        }
        assert!(spoiled.len() > 3, "{}", write.name);
        for body in spoiled {
            let message = write.expect_refusal(&write.send(&app, body.clone()).await, 1000);
            assert!(is_placed(&message), "{} {body}: {message}", write.name);
        }
    }
    assert_eq!(rows(&app).await, before);
    expect_served(&app, &writes).await;
}

#[tokio::test]
async fn a_body_of_another_type_or_size_is_refused_by_every_operation_and_stores_nothing() {
    let (app, writes) = start().await;
    let before = rows(&app).await;
    for write in &writes {
        for content_type in [
            "text/xml",
            "application/xml",
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/merge-patch+json",
            "application/json-seq",
            "*/*",
            "",
        ] {
            let request = write.request(&app).header(CONTENT_TYPE, content_type).body(write.good.to_string());
            let message = Answer::of(request).await.expect_error(415, 1000);
            assert_eq!(message, "Content type is not application/json.", "{} {content_type}", write.name);
        }
        let mut huge = write.good.to_string();
        let mebibytes = if write.name == "create-batch" { 4 } else { 1 };
        huge.insert_str(huge.len() - 1, &" ".repeat(mebibytes << 20));
        let message = write.send(&app, huge).await.expect_error(413, 1000);
        assert_eq!(message, format!("Request body is larger than {mebibytes} MiB."), "{}", write.name);
    }
    assert_eq!(rows(&app).await, before);
    expect_served(&app, &writes).await;
}

#[tokio::test]
async fn what_is_no_object_is_taken_where_the_document_says_so_alone() {
    let (app, writes) = start().await;
    for write in &writes {
        for body in ["", "  ", "null", "true", "0", "-1.5", "\"text\"", "[]", "[{}]"] {
            let before = rows(&app).await;
            let answer = write.send(&app, body).await;
            let is_taken = match write.name.as_str() {
                "http_request_trigger" => true,
                "start-workflow-instance" => ["", "  ", "null"].contains(&body),
                "rerun-instance" => body.trim().is_empty(),
                _ => false,
            };
            if is_taken {
                assert!(answer.status.is_success(), "{} {body:?} {answer:?}", write.name);
            } else {
                let message = write.expect_refusal(&answer, 1000);
                assert!(message.starts_with("Invalid request body. "), "{} {body:?}: {message}", write.name);
                assert_eq!(rows(&app).await, before);
            }
        }
    }
    expect_served(&app, &writes).await;
}

/// What starts an instance is its data, whatever it is.
#[tokio::test]
async fn odd_characters_and_numbers_in_the_data_of_an_instance_are_shown_again() {
    let (app, writes) = start().await;
    let starts: Vec<_> = writes.iter().filter(|write| write.starts_instances()).collect();
    assert_eq!(starts.len(), 2);
    let data = json!({"text": "a", "list": ["a", {"key": "a"}], "object": {"a": {"a": "a"}}});
    let mut bodies = Vec::new();
    for text in [r"\u0001", r"\ud83d\ude00", r"\u2028", r"\ufffe", "", "a.b", "__proto__"] {
        bodies.extend(altered_strings(&data, text));
    }
    for number in ["0", "-0.5", "18446744073709551615", "-9223372036854775808", "1e300", "5e-324"] {
        bodies.push(format!("{{\"number\": {number}}}"));
    }
    for body in bodies {
        let shown: Value = serde_json::from_str(&body).unwrap();
        for write in &starts {
            let answer = write.send(&app, body.clone()).await;
            assert!(answer.status.is_success(), "{} {body} {answer:?}", write.name);
            let newest = &app.instances_of(&write.definition).await[0]["data"];
            for (name, value) in shown.as_object().unwrap() {
                assert_eq!(&newest[name], value, "{} {body}", write.name);
            }
        }
    }
}

/// A command is a text, of three.
#[tokio::test]
async fn a_command_that_is_none_is_refused_and_changes_nothing() {
    let (app, writes) = start().await;
    let control = writes.iter().find(|write| write.name == "patch-workflow-instance").unwrap();
    let path = control.path.strip_prefix("/api/v1/accounts/acme").unwrap();
    let shown = app.get(path).await.text;
    let before = rows(&app).await;
    let commands = replacements().into_iter().chain(["Suspended", "suspend ", "delete"].map(Value::from));
    for command in commands {
        let answer = app.patch(path, json!({"status": command})).await;
        assert_eq!(answer.expect_error(400, 1000), "Invalid status.", "{command}");
    }
    assert_eq!(app.patch(path, json!({})).await.expect_error(400, 1000), "Invalid status.");
    assert_eq!((app.get(path).await.text, rows(&app).await), (shown, before));
    app.patch(path, json!({"status": "suspend"})).await.expect_empty(200);
}

/// A refusal makes the platform send the same again, so most is taken; but nothing may break.
#[tokio::test]
async fn a_webhook_with_a_wrong_type_or_an_odd_character_anywhere_is_taken_or_refused_whole() {
    let (app, writes) = start().await;
    for write in writes.iter().filter(|write| write.is_webhook()) {
        for event in bodies::events(&write.name) {
            let mut altered: Vec<String> = Vec::new();
            for place in places(&event) {
                for value in replacements() {
                    let mut body = event.clone();
                    *body.pointer_mut(&place).unwrap() = value;
                    altered.push(body.to_string());
                }
            }
            for escape in [r"a\u0000b", r"a\ud800b"] {
                altered.extend(altered_strings(&event, escape));
            }
            for body in altered {
                let before = rows(&app).await;
                let answer = write.send(&app, body.clone()).await;
                if answer.status != 200 {
                    let message = answer.expect_error(400, 1000);
                    assert!(message.starts_with("Invalid request body. "), "{body}: {message}");
                    assert_eq!(rows(&app).await, before, "{body}");
                }
            }
        }
    }
    let before = rows(&app).await;
    app.webhook(inbound_sms("at the end", "acme_sms")).await.expect_empty(200);
    assert_ne!(rows(&app).await, before);
    assert!(app.store().verify().await.unwrap().is_empty());
}
