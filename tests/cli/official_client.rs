//! What customers of the original have: its own Node clients as they are, its curl call, and a receiver that checks
//! signatures. Against real processes, in real time.

mod site;

use std::process::Command;

use chrono::TimeDelta;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::program::{Client, run_command};
use site::{Site, Told};

fn id(line: &str) -> String {
    line.trim().parse::<Uuid>().unwrap_or_else(|_| panic!("no id: {line}")).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn n_083_the_unmodified_client_fails_over_and_its_receiver_believes_every_webhook() {
    let site = Site::start().await;
    let customer = site.customer().await;
    let dispatch = id(&customer.runs("failover.js").succeeded().stdout);

    let first = site.provider.has("the first message", 1).await.remove(0);
    assert_eq!(first.body["to"], json!({"type": "messenger", "id": "2000000000000002"}));
    customer.is_told("that it was submitted", 1).await;
    site.report(&first, "delivered", None).await;
    customer.is_told("that it was delivered, though not read", 2).await;
    let second = site.provider.has("the second message", 2).await.remove(1);
    assert_eq!(second.body["to"], json!({"type": "sms", "number": "447700900000"}));
    let waited = second.at - site.began_at(&dispatch).await;
    assert!(waited >= TimeDelta::seconds(15) && waited < TimeDelta::seconds(20), "{waited}");
    customer.is_told("that the SMS was submitted", 3).await;
    site.report(&second, "delivered", Some("0.0333")).await;

    let told = customer.is_told("all of it", 5).await;
    for webhook in &told {
        assert_eq!(webhook.path, "/application");
        let claims = &webhook.claims;
        assert_eq!((&claims["iss"], &claims["api_key"]), (&json!("Vonage"), &json!(site.api_key)));
        assert_eq!(claims["application_id"], customer.application);
        assert!(
            claims["iat"].is_i64() && claims["jti"].is_string() && claims.get("exp").is_none(),
            "{claims}"
        );
    }
    let of = |message: &Value| -> Vec<Value> {
        let of = told.iter().filter(|told| told.body["message_uuid"] == *message);
        of.map(|told| told.body.clone()).collect()
    };
    let messages = [&first.body["client_ref"], &second.body["client_ref"]];
    for (message, sent) in messages.into_iter().zip([&first, &second]) {
        let statuses = of(message);
        let words: Vec<_> = statuses.iter().map(|status| &status["status"]).collect();
        assert_eq!(words, ["submitted", "delivered"]);
        for status in statuses {
            assert_eq!((&status["to"], &status["from"]), (&sent.body["to"], &sent.body["from"]));
            assert_eq!(status["_links"]["dispatch"]["dispatch_uuid"], dispatch);
        }
    }
    let [report] = &of(&Value::Null)[..] else { panic!("one report in {told:?}") };
    assert_eq!((&report["template"], &report["status"]), (&json!("failover"), &json!("completed")));
    assert_eq!((&report["dispatch_uuid"], &report["usage"]["price"]), (&json!(dispatch), &json!("0.0333")));
    let reported = report["_links"]["messages"].as_array().unwrap();
    let reported: Vec<_> =
        reported.iter().map(|link| [&link["message_uuid"], &link["channel"], &link["status"]]).collect();
    let [messenger, sms, delivered] = [json!("messenger"), json!("sms"), json!("delivered")];
    assert_eq!(reported, [[messages[0], &messenger, &delivered], [messages[1], &sms, &delivered]]);

    // The receiver would not have believed just anything.
    let stranger = Client::new(&customer.receives_at, None);
    assert_eq!(stranger.call("POST", "/application", Some(report)).await.0, 401);
    drop(customer);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn n_083_n_084_clients_of_every_age_are_answered_as_they_expect() {
    let site = Site::start().await;
    let customer = site.customer().await;

    let refused: Value =
        serde_json::from_str(&customer.runs("unknown_template.js").succeeded().stdout).unwrap();
    let err = &refused["err"];
    assert_eq!((&err["statusCode"], &refused["data"]), (&json!(400), &Value::Null));
    assert_eq!(err["body"]["title"], "Your request parameters didn't validate.");
    let [parameter] = &err["body"]["invalid_parameters"].as_array().unwrap()[..] else { panic!("{err}") };
    assert_eq!(parameter["name"], "template");
    assert_eq!(err["headers"]["x-nexmo-trace-id"], err["body"]["instance"]);

    // The first message of two is refused, so that the second goes out at once, and there is no third.
    let unheard = customer.runs("callback_in_workflow.js").succeeded();
    assert_eq!(unheard.stdout, "");
    let sent = site.provider.has("the second message", 1).await.remove(0);
    assert_eq!(sent.body["to"]["type"], "sms");
    customer.is_told("that one was rejected and one submitted", 2).await;
    site.report(&sent, "undeliverable", None).await;
    let report = customer.hears("the report", |told| told.body.get("template").is_some()).await;
    assert_eq!(report.body["status"], "error");
    let links = report.body["_links"]["messages"].as_array().unwrap();
    let statuses: Vec<_> = links.iter().map(|link| &link["status"]).collect();
    assert_eq!(statuses, ["rejected", "undeliverable"]);

    let message = id(&customer.runs("direct_message.js").succeeded().stdout);
    let sent = site.provider.has("the message by itself", 2).await.remove(1);
    assert_eq!(sent.body["client_ref"], message);
    let told = customer.hears("that it was submitted", |told| told.body["message_uuid"] == message).await;
    assert_eq!((&told.body["status"], told.body.get("_links")), (&json!("submitted"), None));

    let workflow = id(&customer.runs("legacy_workflow.js").succeeded().stdout);
    let is_of_legacy = |told: &Told| told.body["_links"]["workflow"]["workflow_uuid"] == workflow;
    let told = customer.hears("that it began", is_of_legacy).await;
    assert_eq!(
        (told.path.as_str(), &told.claims["application_id"]),
        ("/application", &json!(customer.application))
    );

    // Without an application it is the account that is told.
    let dispatch = id(&customer.runs("basic_auth.js").succeeded().stdout);
    let is_of_basic = |told: &Told| told.body["_links"]["dispatch"]["dispatch_uuid"] == dispatch;
    let told = customer.hears("that it began", is_of_basic).await;
    assert_eq!((told.path.as_str(), told.claims.get("application_id")), ("/account", None));
    drop(customer);
    site.stop().await;
}

/// As the original's overview had it, but for the host, the credentials, the two parties and the texts.
const OVERVIEW: &str = r#"{
    "template":"failover",
    "workflow": [
      {
        "from": { "type": "messenger", "id": "1000000000000001" },
        "to": { "type": "messenger", "id": "2000000000000002" },
        "message": {
          "content": {
            "type": "text",
            "text": "Your parcel is here"
          }
        },
        "failover":{
          "expiry_time": 600,
          "condition_status": "read"
        }
      },
      {
        "from": {"type": "sms", "number": "447700900001"},
        "to": { "type": "sms", "number": "447700900000"},
        "message": {
          "content": {
            "type": "text",
            "text": "Your parcel is here"
          }
        }
      }
    ]
  }"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_curl_call_of_the_originals_overview_starts_a_workflow() {
    let site = Site::start().await;
    let curl = |credentials: &[&str], path: &str| -> Value {
        let mut command = Command::new("curl");
        command.args(["-X", "POST", &format!("{}{path}", site.url)]).args(credentials);
        command.args([
            "-H",
            "Content-Type: application/json",
            "-H",
            "Accept: application/json",
            "-d",
            OVERVIEW,
        ]);
        command.args(["-sS", "-w", "\n%{http_code}"]);
        let said = run_command(command, "").succeeded().stdout;
        let (body, status) = said.rsplit_once('\n').unwrap();
        assert_eq!(status, "202", "{body}");
        serde_json::from_str(body).unwrap()
    };
    let pair = format!("{}:{}", site.api_key, site.secret);
    let started = curl(&["-u", &pair], "/beta/workflows");
    let of_first_era = id(started["workflow_uuid"].as_str().unwrap());
    assert_eq!(started, json!({"workflow_uuid": of_first_era, "dispatch_uuid": of_first_era}));

    // The next edition's page, and a header written by hand as in the first one.
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &pair);
    let header = format!("Authorization: Basic {encoded}");
    let dispatch = curl(&["-H", &header], "/v0.1/dispatch");
    assert_eq!(dispatch, json!({"dispatch_uuid": id(dispatch["dispatch_uuid"].as_str().unwrap())}));
    for sent in site.provider.has("the first message of both", 2).await {
        assert_eq!(sent.body["to"], json!({"type": "messenger", "id": "2000000000000002"}));
    }
    site.stop().await;
}
