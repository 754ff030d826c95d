//! Limits, and definitions that are paused, at the command line.

use serde_json::{Value, json};

use crate::dev::Dev;
use crate::program::{TestDir, run};

const SENDS: &str = r#"{"trigger": "http_request", "definition": {"name": "Sends", "steps": [
    {"id": "send", "stepType": "SMS", "inputs": {"subAccountId": "acme_sms", "destination": "+6590001111", "text": "Hello"}}]}}"#;

#[tokio::test]
async fn limits_are_set_and_definitions_paused_by_files_and_words() {
    let dir = TestDir::new();
    let dev = Dev::start(&dir, &[]).await;
    let shown = run(&dir, &["limits", "show"], &[]).succeeded().stdout;
    assert_eq!(shown, "Nothing is limited.\n");
    let limits = json!({"rates": [{"messages": 2, "per": "minute"}], "concurrency": 5});
    std::fs::write(dir.path().join("limits.json"), limits.to_string()).unwrap();
    let set = run(&dir, &["limits", "set", "limits.json", "--reason", "too loud"], &[]).succeeded().stdout;
    assert_eq!(set, "account: 2 messages per minute\naccount: 5 steps at once\n");
    let shown: Value =
        serde_json::from_str(&run(&dir, &["limits", "show", "-o", "json"], &[]).succeeded().stdout).unwrap();
    assert_eq!(shown, limits);
    let audit = dev.client().get("/api/v1/accounts/dev/audit?action=limits.set").await;
    assert_eq!(audit[0]["reason"], "too loud");
    std::fs::write(dir.path().join("wrong.json"), r#"{"rates": [{"messages": 2, "per": "week"}]}"#).unwrap();
    let refused = run(&dir, &["limits", "set", "wrong.json"], &[]);
    assert!(refused.stderr.contains("`rates[0].per` must be `second`"), "{refused:?}");

    std::fs::write(dir.path().join("sends.json"), SENDS).unwrap();
    let pushed = run(&dir, &["definition", "push", "sends.json", "-o", "json"], &[]).succeeded().stdout;
    let pushed: Value = serde_json::from_str(&pushed).unwrap();
    let id = pushed["id"].as_str().unwrap();
    for (verb, state) in [("pause", "paused"), ("drain", "draining"), ("resume", "running")] {
        let told = run(&dir, &["definition", verb, id], &[]).succeeded().stdout;
        assert_eq!(told, format!("Definition {id} is {state}.\n"));
    }
}
