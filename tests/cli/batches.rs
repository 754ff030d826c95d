//! What has ended is run again at the command line, one instance and many.

use std::process::Command;

use serde_json::{Value, json};

use crate::dev::Dev;
use crate::program::{Ended, TestDir, run, run_command};

/// Fails without a `gate` in the context.
const GATED: &str = r#"{"trigger": "http_request", "definition": {"name": "Gated", "steps": [
    {"id": "gate", "stepType": "If", "outputs": {"passed": "{{data.gate == 'open' || noSuchFunction()}}"},
        "nextStepId": "end"},
    {"id": "end", "stepType": "If"}]}}"#;
const WAITS: &str = r#"{"trigger": "http_request", "definition": {"name": "Waits", "steps": [
    {"id": "pause", "stepType": "Wait", "inputs": {"duration": "01:00:00"}}]}}"#;

fn parsed(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

fn push(dir: &TestDir, text: &str) -> String {
    std::fs::write(dir.path().join("definition.json"), text).unwrap();
    let pushed = run(dir, &["definition", "push", "definition.json", "-o", "json"], &[]).succeeded();
    parsed(&pushed)["id"].as_str().unwrap().to_owned()
}

/// Starts an instance and gives its id.
async fn start(dev: &Dev, definition: &str) -> String {
    let path = format!("/api/v1/accounts/dev/definitions/{definition}/workflows");
    assert_eq!(dev.client().call("POST", &path, Some(&json!({}))).await.0, 201);
    dev.client().get(&path).await[0]["workflowId"].as_str().unwrap().to_owned()
}

async fn failed(dir: &TestDir, dev: &Dev, definition: &str) -> String {
    let id = start(dev, definition).await;
    assert_eq!(run(dir, &["instance", "watch", &id], &[]).code, Some(1));
    id
}

#[tokio::test]
async fn an_instance_is_run_again() {
    let dir = TestDir::new();
    let dev = Dev::start(&dir, &[]).await;
    let definition = push(&dir, GATED);
    let origin = failed(&dir, &dev, &definition).await;
    let rerun = |args: &[&str]| run(&dir, &[&["rerun"], args].concat(), &[]);
    std::fs::write(dir.path().join("open.json"), r#"{"gate": "open"}"#).unwrap();
    std::fs::write(dir.path().join("list.json"), "[]").unwrap();

    let again =
        rerun(&[&origin, "--context", "open.json", "--reason", "Störung am Freitag"]).succeeded().stdout;
    let id = again.split_whitespace().nth(1).unwrap();
    assert_eq!(again, format!("Instance {id} runs {origin} again.\n"));
    run(&dir, &["instance", "watch", id], &[]).succeeded();
    let shown = parsed(&run(&dir, &["instance", "show", id, "-o", "json"], &[]).succeeded());
    assert_eq!((&shown["origin"]["instanceId"], &shown["data"]["gate"]), (&json!(origin), &json!("open")));
    let line = &dev.client().get("/api/v1/accounts/dev/audit?action=instance.rerun").await[0];
    assert_eq!(line["reason"], "Störung am Freitag");

    let key = ["--from", "end", "--version", "1", "-o", "json", "--idempotency-key", "k"];
    let args = [&[origin.as_str()], &key[..]].concat();
    let chosen = parsed(&rerun(&args).succeeded());
    assert_eq!(parsed(&rerun(&args).succeeded()), chosen);
    let id = chosen["instanceId"].as_str().unwrap();
    run(&dir, &["instance", "watch", id], &[]).succeeded();
    rerun(&[id]).failed(1, "cannot be run again: none of its steps failed");
    rerun(&[id, "--from", "step:gone"]).failed(1, "version 1 has no step `gone`");
    rerun(&[id, "--from", "message:2"]).failed(1, "it is no workflow of the Workflows API");
    rerun(&[id, "--version", "7", "--from", "start"]).failed(1, "the definition has no version 7");
    rerun(&[id, "--context", "none.json"]).failed(1, "cannot read `none.json`");
    rerun(&[id, "--context", "list.json"]).failed(1, "cannot read a JSON object from `list.json`");
    for wrong in [&["nonsense"][..], &[id, "--version", "0"], &[id, "--from", "message:0"], &[]] {
        assert_eq!(rerun(wrong).code, Some(2), "{wrong:?}");
    }
    assert_eq!(dev.process.stop().await, Some(0));
}

#[tokio::test]
async fn many_instances_are_counted_confirmed_and_followed() {
    let dir = TestDir::new();
    let dev = Dev::start(&dir, &[]).await;
    let definition = push(&dir, GATED);
    let mut origins = Vec::new();
    for _ in 0..3 {
        origins.push(failed(&dir, &dev, &definition).await);
    }
    let batch = |args: &[&str]| run(&dir, &[&["batch"], args].concat(), &[]);
    assert!(batch(&["list"]).succeeded().stderr.contains("No batch."));
    let create = |args: &[&str]| batch(&[&["create", "rerun", "--definition", &definition], args].concat());

    let counted = create(&["--dry-run", "--step", "gate"]).succeeded().stdout;
    let lines: Vec<&str> = counted.lines().collect();
    assert_eq!(lines[0], "3 instances");
    assert_eq!(lines[3], format!("3      1        Gated       {definition}"), "{counted}");
    assert!(counted.contains("\n3      Terminated\n") && counted.contains("\n3      gate\n"), "{counted}");
    let dry = parsed(&create(&["--dry-run", "-o", "json"]).succeeded());
    assert_eq!((&dry["total"], &dry["byStep"][0]["count"]), (&json!(3), &json!(3)));
    create(&["--status", "Complete", "--yes"]).failed(1, "no instance matches");
    create(&[]).failed(1, "there is no terminal to ask at");
    batch(&["create", "rerun"]).failed(2, "--instance <ID>");
    create(&["--instance", &origins[0]]).failed(2, "cannot be used with");
    create(&["--status", "gone", "--yes"]).failed(1, "`status` must be the status of an instance");
    for wrong in
        [&["create", "delete"][..], &["create", "rerun", "--rate", "0"], &["status", "x"], &["pause"]]
    {
        assert_eq!(batch(wrong).code, Some(2), "{wrong:?}");
    }
    assert!(parsed(&batch(&["list", "-o", "json"]).succeeded()).as_array().unwrap().is_empty());

    std::fs::write(dir.path().join("open.json"), r#"{"gate": "open"}"#).unwrap();
    let made =
        ["--yes", "-f", "--reason", "outage", "--rerun-context", "open.json", "--idempotency-key", "k"];
    let followed = create(&made).succeeded().stdout;
    let id = followed.split_once("Batch ").unwrap().1.lines().next().unwrap();
    let last = "done: 3 of 3 decided (3 done, 0 skipped, 0 failed)\n";
    assert!(followed.ends_with(last), "{followed}");
    let repeated = create(&[&made[..], &["-o", "json"]].concat()).succeeded().stdout;
    let repeated: Value = serde_json::from_str(repeated.lines().last().unwrap()).unwrap();
    assert_eq!((&repeated["batchId"], &repeated["state"]), (&json!(id), &json!("done")));

    let shown = batch(&["status", id]).succeeded().stdout;
    assert!(shown.contains("reason    outage\n") && shown.contains(last), "{shown}");
    assert_eq!(parsed(&batch(&["status", id, "-o", "json"]).succeeded())["progress"]["done"], 3);
    batch(&["status", id, "--follow"]).succeeded();
    let items = batch(&["items", id]).succeeded().stdout;
    assert!(origins.iter().all(|origin| items.contains(origin)) && items.lines().count() == 4, "{items}");
    let page = batch(&["items", id, "--limit", "2", "--state", "done"]).succeeded();
    assert!(page.stderr.contains("--after 2"), "{page:?}");
    assert!(batch(&["items", id, "--state", "failed"]).succeeded().stderr.contains("No instance."));
    let listed = batch(&["list"]).succeeded().stdout;
    assert!(listed.lines().nth(1).unwrap().starts_with(&format!("{id}  rerun   done   3  ")), "{listed}");
    batch(&["abort", id]).failed(1, "cannot be aborted because it is done");

    // What failed and cannot be run again from there is told by the exit code.
    let chosen = ["create", "rerun", "--instance", &origins[0], "--rerun-from", "gone", "--yes", "--follow"];
    let skipped = batch(&chosen).succeeded().stdout;
    assert!(skipped.ends_with("done: 1 of 1 decided (0 done, 1 skipped, 0 failed)\n"), "{skipped}");
    let failed = batch(&[&chosen[..], &["--again"]].concat());
    assert!(failed.stdout.ends_with("done: 1 of 1 decided (0 done, 0 skipped, 1 failed)\n"), "{failed:?}");
    failed.failed(1, "--state failed");

    let waits = push(&dir, WAITS);
    for _ in 0..20 {
        start(&dev, &waits).await;
    }
    let slow = batch(&["create", "suspend", "--definition", &waits, "--rate", "1", "--yes", "-o", "json"]);
    let slow = parsed(&slow.succeeded())["batchId"].as_str().unwrap().to_owned();
    let paused = batch(&["pause", &slow, "--reason", "lunch"]).succeeded().stdout;
    assert!(paused.starts_with("paused: ") && !paused.contains(" left"), "{paused}");
    let resumed = batch(&["resume", &slow]).succeeded().stdout;
    assert!(resumed.starts_with("running: ") && resumed.contains(" of 20 decided"), "{resumed}");
    assert!(batch(&["abort", &slow]).succeeded().stdout.starts_with("aborted: "));
    assert_eq!(batch(&["status", "-f", &slow]).code, Some(1));
    assert_eq!(dev.process.stop().await, Some(0));
}

#[tokio::test]
async fn a_terminal_is_asked_and_shows_a_bar() {
    let dir = TestDir::new();
    let dev = Dev::start(&dir, &[]).await;
    let definition = push(&dir, WAITS);
    for _ in 0..3 {
        start(&dev, &definition).await;
    }
    let at_terminal = |answer: &str, more: &str| {
        let program = env!("CARGO_BIN_EXE_trunkline");
        let line = format!("{program} batch create terminate --definition {definition} {more}");
        let mut script = Command::new("script");
        script.args(["-qec", &line, "/dev/null"]).current_dir(dir.path()).env_clear();
        script.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        script.env("TERM", "xterm").env("SHELL", "/bin/sh").env("NO_COLOR", "1");
        run_command(script, answer)
    };
    let refused = at_terminal("n\n", "");
    assert!(refused.stdout.contains("Terminate 3 instances? [y/N] "), "{refused:?}");
    assert!(refused.code == Some(1) && refused.stdout.contains("Nothing was done."), "{refused:?}");
    let done = at_terminal("y\n", "--follow");
    assert_eq!(done.code, Some(0), "{done:?}");
    let bar = "\r[########################] 100 %  3 of 3  done\u{1b}[K\r\n";
    assert!(done.stdout.ends_with(bar), "{done:?}");
    assert!(!done.stdout.contains("\u{1b}[3"), "no colours: {done:?}");
    let all = dev.client().get("/api/v1/accounts/dev/instances?status=terminated").await;
    assert_eq!(all["items"].as_array().unwrap().len(), 3);
    assert_eq!(dev.process.stop().await, Some(0));
}
