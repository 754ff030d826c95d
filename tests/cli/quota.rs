//! What an account may start, as its operator sets it and its clients see it.

use serde_json::json;

use crate::production::{MASTER_KEY, postgres};
use crate::program::{Client, Running, TestDir, run};

#[tokio::test]
async fn a_quota_is_set_shown_and_kept() {
    let dir = TestDir::new();
    let cluster = postgres(&dir).await;
    let url = cluster.url("postgres");
    let environment = [("DATABASE_URL", url.as_str()), ("TRUNKLINE_MASTER_KEY", MASTER_KEY)];
    let trunkline = |args: &[&str]| run(&dir, args, &environment);
    trunkline(&["migrate"]).succeeded();
    trunkline(&["account", "create", "acme"]).succeeded();
    let key = trunkline(&["key", "create", "acme"]).succeeded().stdout;
    let line = |args: &[&str]| {
        let shown = trunkline(&[&["account", "quota"], args].concat()).succeeded().stdout;
        let cells: Vec<String> =
            shown.lines().nth(1).unwrap().split_whitespace().map(str::to_owned).collect();
        cells[..5].join(" ")
    };
    assert_eq!(line(&["acme"]), "acme unlimited yes 0 0");
    let price = ["acme", "--allowed", "1", "--overage", "no", "--overage-price", "0.005"];
    assert_eq!(line(&price), "acme 1 no 0.005 0");
    trunkline(&["account", "quota", "nobody"]).failed(1, "there is no account `nobody`");
    trunkline(&["account", "quota", "nobody", "--overage", "no"]).failed(1, "there is no account `nobody`");
    trunkline(&["account", "quota", "acme", "--allowed", "some"]).failed(2, "or `unlimited`");
    trunkline(&["account", "quota", "acme", "--overage", "maybe"]).failed(2, "`yes` or `no`");

    let serve = ["serve", "--listen", "127.0.0.1:0"];
    trunkline(&[&serve[..], &["--rate-limit", "0"]].concat()).failed(2, "a number from 1 to 1000000");
    let settings = [("TRUNKLINE_USAGE_SHAPE", "object"), ("TRUNKLINE_RATE_LIMIT", "1000")];
    let settings = [&environment[..], &settings].concat();
    let mut server = Running::start(&dir, &serve, &settings);
    server.says("listening on ").await;
    let client = Client::new(&server.after("listening on "), Some(key.trim()));
    let root = "/api/v1/accounts/acme";
    let usage = client.get(&format!("{root}/usage")).await;
    assert_eq!((&usage["accountId"], &usage["allowedWorkflowCount"]), (&json!("acme"), &json!(1)));
    let definition = json!({"trigger": "http_request", "definition": {"name": "Wait", "steps": [
        {"id": "wait", "stepType": "Wait", "inputs": {"duration": "1.00:00:00"}}]}});
    let (_, saved) = client.call("POST", &format!("{root}/definitions"), Some(&definition)).await;
    let start = format!("{root}/definitions/{}/workflows", saved["id"].as_str().unwrap());
    assert_eq!(client.call("POST", &start, Some(&json!({}))).await.0, 201);
    assert_eq!(client.call("POST", &start, Some(&json!({}))).await.0, 403);
    assert_eq!(line(&["acme", "--allowed", "unlimited"]), "acme unlimited no 0.005 1");
    assert_eq!(client.call("POST", &start, Some(&json!({}))).await.0, 201);
    assert_eq!(server.stop().await, Some(0));
    cluster.stop().await;
}
