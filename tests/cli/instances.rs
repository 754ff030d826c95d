//! Instances and definitions at the command line, through the server's API.

use serde_json::{Value, json};

use crate::dev::Dev;
use crate::program::{Ended, Running, TestDir, run};

const WAITS: &str = r#"{"trigger": "http_request", "status": "enabled", "definition": {"name": "Waits", "steps": [
    {"id": "pause", "stepType": "Wait", "inputs": {"duration": "01:00:00"}}]}}"#;
const FAILS: &str = r#"{"trigger": "http_request", "definition": {"name": "Fails", "steps": [
    {"id": "ask", "stepType": "HttpRequest", "inputs": {"url": "gopher://crm.example/x", "method": "GET"}}]}}"#;

fn parsed(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

/// Saves a file and gives the definition's id.
fn push(dir: &TestDir, name: &str, text: &str) -> String {
    std::fs::write(dir.path().join(name), text).unwrap();
    let pushed = run(dir, &["definition", "push", name, "-o", "json"], &[]).succeeded();
    parsed(&pushed)["id"].as_str().unwrap().to_owned()
}

/// Starts an instance and gives its id.
async fn start(dev: &Dev, definition: &str, data: Value) -> String {
    let path = format!("/api/v1/accounts/dev/definitions/{definition}/workflows");
    assert_eq!(dev.client().call("POST", &path, Some(&data)).await.0, 201);
    let list = dev.client().get(&path).await;
    list[0]["workflowId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn instances_are_listed_shown_explained_and_watched() {
    let dir = TestDir::new();
    let dev = Dev::start(&dir, &[]).await;
    let instance = |args: &[&str]| run(&dir, &[&["instance"], args].concat(), &[]);
    assert!(instance(&["list"]).succeeded().stderr.contains("No instance."));

    let waits = push(&dir, "waits.json", WAITS);
    let fails = push(&dir, "fails.json", FAILS);
    let waiting = start(&dev, &waits, json!({"to": "+65 9000 1111", "order": {"id": 7}})).await;
    let failing = start(&dev, &fails, json!({})).await;
    instance(&["watch", &failing]).failed(1, "");
    let watched = instance(&["watch", &failing]).stdout;
    assert!(
        watched.contains("ask: Failed. Call failed.") && watched.contains("UTC: step `ask` failed: Call")
    );

    let list = instance(&["list"]).succeeded().stdout;
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines.len(), 3, "{list}");
    assert!(
        lines[1].starts_with(&failing) && lines[1].contains(" Terminated ") && lines[1].contains(" ask ")
    );
    assert!(lines[2].starts_with(&waiting) && lines[2].contains(" Waits "), "{list}");
    let found = |args: &[&str]| -> Vec<String> {
        let list = parsed(&instance(&[&["list", "-o", "json"], args].concat()).succeeded());
        assert_eq!(list["next"], Value::Null, "{list}");
        let items = list["items"].as_array().unwrap().iter();
        items.map(|item| item["instanceId"].as_str().unwrap().to_owned()).collect()
    };
    let error = parsed(&instance(&["list", "-o", "json", "--step", "ask"]).succeeded());
    let fingerprint = error["items"][0]["failure"]["fingerprint"].as_str().unwrap().to_owned();
    for (args, expected) in [
        (&["--status", "Runnable"][..], &waiting),
        (&["--definition", &waits, "--version", "1"], &waiting),
        (&["--phone", "006590001111"], &waiting),
        (&["--context", "order.id=7", "--context", "to=+65 9000 1111"], &waiting),
        (&["--step", "pause", "--from", "2020-01-01T00:00Z", "--before", "2999-01-01T00:00Z"], &waiting),
        (&["--error", "CALL failed"], &failing),
        (&["--fingerprint", &fingerprint], &failing),
    ] {
        assert_eq!(found(args), std::slice::from_ref(expected), "{args:?}");
    }
    assert!(found(&["--sub-account", "none"]).is_empty());
    let page = instance(&["list", "--limit", "1"]).succeeded();
    let cursor = page.stderr.trim().rsplit(' ').next().unwrap().to_owned();
    assert_eq!(found(&["--cursor", &cursor]), std::slice::from_ref(&waiting));

    let why = instance(&["why", &waiting]).succeeded().stdout;
    assert!(why.starts_with("pause: Sleeps until ") && why.lines().count() == 1, "{why}");
    assert_eq!(
        parsed(&instance(&["why", &waiting, "-o", "json"]))["unfinished"][0]["blockedOn"]["reason"],
        "time"
    );
    let why = instance(&["why", &failing]).succeeded().stdout;
    assert!(why.starts_with("Terminated at ") && why.contains("step `ask` failed"), "{why}");
    let history = instance(&["history", &failing]).succeeded().stdout;
    for words in
        ["  ask (HttpRequest) attempt 1 failed\n", "    error     Call failed. ", "    request   GET gopher:"]
    {
        assert!(history.contains(words), "no `{words}` in {history}");
    }
    let history = parsed(&instance(&["history", &failing, "-o", "json"]).succeeded());
    assert_eq!(history["items"][0]["attempt"]["outcome"], "failed");
    let policy = |args: &[&str]| run(&dir, &[&["history-policy"], args].concat(), &[]).succeeded();
    assert_eq!(policy(&["show"]).stdout, "bodies   redact\nheaders  -\nmembers  -\n");
    let set =
        policy(&["set", "hash", "--header", "X-A", "--header", "X-B", "--member", "iban", "-o", "json"]);
    assert_eq!(parsed(&set), json!({"bodies": "hash", "headers": ["X-A", "X-B"], "members": ["iban"]}));
    assert!(policy(&["show"]).stdout.starts_with("bodies   hash\nheaders  X-A, X-B\n"));
    let shown = instance(&["show", &waiting]).succeeded().stdout;
    for words in ["definition  Waits (", "status      Runnable", r#""id":7"#, "pause  Wait  Sleeping"] {
        assert!(shown.contains(words), "no `{words}` in {shown}");
    }
    assert_eq!(parsed(&instance(&["show", &waiting, "--output", "json"]))["data"]["order"]["id"], 7);

    let mut watch = Running::start(&dir, &["instance", "watch", &waiting], &[]);
    watch.says("pause: Sleeping. Sleeps until ").await;
    let path = format!("/api/v1/accounts/dev/definitions/{waits}/workflows/{waiting}");
    assert_eq!(dev.client().call("PATCH", &path, Some(&json!({"status": "terminate"}))).await.0, 200);
    watch.says("pause: Cancelled\nTerminated at ").await;
    let ended = instance(&["watch", &waiting, "-o", "json"]);
    assert_eq!(ended.code, Some(1));
    let end: Value = serde_json::from_str(ended.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(end["status"], "Terminated");
    assert_eq!(dev.process.stop().await, Some(0));
}

#[tokio::test]
async fn wrong_words_end_with_two_and_refusals_with_one() {
    let dir = TestDir::new();
    run(&dir, &["instance", "list"], &[]).failed(1, "neither `TRUNKLINE_URL` nor a file");
    let elsewhere = [("TRUNKLINE_URL", "http://127.0.0.1:1"), ("TRUNKLINE_ACCOUNT", "a")];
    run(&dir, &["instance", "list"], &elsewhere).failed(1, "neither `TRUNKLINE_API_KEY` nor a file");
    run(&dir, &["instance", "list", "--api-key", "k"], &elsewhere).failed(1, "127.0.0.1:1");
    for wrong in [
        &["instance", "show", "nonsense"][..],
        &["instance", "list", "--context", "x"],
        &["instance", "list", "--limit", "0"],
        &["instance", "list", "-o", "xml"],
        &["instance"],
        &["history-policy", "set", "some"],
        &["definition", "pull", "x"],
        &["completions", "cmd"],
    ] {
        assert_eq!(run(&dir, wrong, &[]).code, Some(2), "{wrong:?}");
    }

    let dev = Dev::start(&dir, &[]).await;
    let unknown = "0123456789abcdef01234567";
    run(&dir, &["instance", "show", unknown], &[])
        .failed(1, "404: Workflow 0123456789abcdef01234567 not found.");
    run(&dir, &["instance", "list", "--status", "Gone"], &[]).failed(1, "400: Invalid status.");
    run(&dir, &["instance", "list", "--api-key", "wrong"], &[]).failed(1, "401");
    let other = [("TRUNKLINE_URL", "http://127.0.0.1:1")];
    run(&dir, &["instance", "list"], &other).failed(1, "neither `TRUNKLINE_API_KEY`");
    assert_eq!(dev.process.stop().await, Some(0));
}

#[tokio::test]
async fn definitions_go_to_the_server_and_back() {
    let dir = TestDir::new();
    let dev = Dev::start(&dir, &[]).await;
    let definition = |args: &[&str]| run(&dir, &[&["definition"], args].concat(), &[]);
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("broken.json", r#"{"trigger": "http_request", "definition": {"name": "B", "steps": []}, "#);
    write(
        "wrong.json",
        r#"{"trigger": "never", "definition": {"name": "B", "steps": [{"id": "a", "stepType": "Wait"}]}}"#,
    );
    let broken = definition(&["validate", "broken.json"]);
    assert!(broken.code == Some(1) && broken.stdout.contains("error: line 1: "), "{broken:?}");
    let wrong = definition(&["validate", "wrong.json"]);
    assert!(wrong.code == Some(1) && wrong.stdout.starts_with("error: /trigger: "), "{wrong:?}");
    definition(&["push", "wrong.json"]).failed(1, "400");
    definition(&["push", "broken.json"]).failed(1, "cannot read JSON from `broken.json`");
    definition(&["validate", "none.json"]).failed(1, "cannot read `none.json`");

    let id = push(&dir, "waits.json", WAITS);
    assert!(definition(&["validate", "waits.json"]).succeeded().stdout.contains("It can be saved."));
    assert_eq!(definition(&["diff", "waits.json"]).succeeded().stdout, "");
    let pulled = definition(&["pull", &id]).succeeded().stdout;
    write("pulled.json", &pulled);
    assert_eq!(definition(&["diff", "pulled.json"]).succeeded().stdout, "");
    write("waits.json", &WAITS.replace("01:00:00", "02:00:00"));
    let diff = definition(&["diff", "waits.json"]);
    assert_eq!(diff.code, Some(1));
    let changed: Vec<&str> =
        diff.stdout.lines().filter(|line| line.starts_with(['-', '+'])).map(str::trim_end).collect();
    assert_eq!(changed.len(), 2, "{diff:?}");
    assert!(changed[0].contains("01:00:00") && changed[1].contains("02:00:00"), "{diff:?}");
    let saved = definition(&["push", "waits.json"]).succeeded().stdout;
    assert_eq!(saved, format!("Saved `Waits` as version 2 of definition {id}.\n"));

    let (status, _) = dev
        .client()
        .call("POST", "/api/v1/accounts/dev/definitions", Some(&serde_json::from_str(WAITS).unwrap()))
        .await;
    assert_eq!(status, 201);
    definition(&["push", "waits.json"]).failed(1, "several definitions of the name `Waits`");
    let saved = definition(&["push", "waits.json", "--id", &id, "-o", "json"]).succeeded();
    assert_eq!(parsed(&saved), json!({"id": id, "version": 3}));
    let none = "00000000-0000-4000-8000-000000000000";
    definition(&["pull", none]).failed(1, "there is no definition");
    assert_eq!(dev.process.stop().await, Some(0));
}

#[test]
fn shells_learn_the_commands() {
    let dir = TestDir::new();
    for (shell, words) in
        [("bash", "complete -F _trunkline"), ("zsh", "#compdef trunkline"), ("fish", "complete -c trunkline")]
    {
        let script = run(&dir, &["completions", shell], &[]).succeeded().stdout;
        assert!(
            script.contains(words) && script.contains("instance") && !script.contains("evaluator-child"),
            "{shell}"
        );
    }
}
