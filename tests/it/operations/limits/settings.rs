//! Limits as they are set and shown.

use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, TestApp};

#[tokio::test]
async fn limits_are_set_shown_and_in_the_audit_with_their_reason() {
    let app = TestApp::start().await;
    assert_eq!(app.get("/limits").await.expect(200), json!({}));
    let limits = json!({
        "timeZone": "Europe/Berlin",
        "rates": [{"messages": 30, "per": "second"}],
        "senders": [{"sender": "acme_sms", "rates": [{"messages": 5, "per": "second"}]}],
        "recipients": [{"messages": 3, "per": "hour"}],
        "quietHours": [{"from": "21:00", "to": "08:00", "channels": ["sms", "voice"]}],
        "concurrency": 20,
    });
    let request = app.account_request(Method::PUT, "/limits").header("Trunkline-Reason", "the carrier asked");
    assert_eq!(Answer::of(request.json(&limits)).await.expect(200), limits);
    assert_eq!(app.get("/limits").await.expect(200), limits);
    app.put("/limits", json!({})).await.expect(200);
    assert_eq!(app.get("/limits").await.expect(200), json!({}));
    let audit = app.get("/audit?action=limits.set").await.expect(200);
    assert_eq!(
        (&audit[1]["reason"], &audit[1]["actor"]["name"]),
        (&json!("the carrier asked"), &json!("tests"))
    );
    assert_eq!(audit[1]["detail"], json!({"before": {}, "after": limits}));
    assert_eq!(audit[0]["detail"], json!({"before": limits, "after": {}}));
    let (_, key) = app.other_account("other").await;
    let others =
        Answer::of(app.request(Method::GET, "/api/v1/accounts/other/limits").bearer_auth(&key)).await;
    assert_eq!(others.expect(200), json!({}));
}

#[tokio::test]
async fn limits_that_are_not_valid_are_refused_with_the_places_of_their_flaws() {
    let app = TestApp::start().await;
    let limits = json!({
        "rates": [{"messages": 0, "per": "second"}],
        "quietHours": [{"from": "21:00", "to": "25:00", "timeZone": "Mars/Olympus"}],
        "burst": 7,
    });
    let message = app.put("/limits", limits).await.expect_error(400, 1000);
    for words in [
        "Invalid limits: ",
        "`burst` is not known",
        "`rates[0].messages` must be a whole number from 1 to 1000000",
        "`quietHours[0].to` must be a time of the day",
        "`quietHours[0].timeZone` must be a time zone",
    ] {
        assert!(message.contains(words), "no `{words}` in {message}");
    }
    app.put("/limits", json!([])).await.expect_error(400, 1000);
    let many: Vec<_> = (0..30).map(|_| json!({"messages": "x", "per": "second"})).collect();
    let message = app.put("/limits", json!({"rates": many[..15]})).await.expect_error(400, 1000);
    assert!(message.ends_with("; and 5 more."), "{message}");
    assert_eq!(app.get("/limits").await.expect(200), json!({}));
}
