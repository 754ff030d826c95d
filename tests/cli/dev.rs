//! `trunkline dev` from its first start to starting over.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Pid, test_kill_process};
use serde_json::{Value, json};

use crate::examples::examples;
use crate::program::{Client, LIMIT, Running, TestDir, look_again, run};

const ANY_PORT: [&str; 3] = ["dev", "--listen", "127.0.0.1:0"];

/// A `dev` that said it is ready, and what its file says.
pub struct Dev {
    pub process: Running,
    pub url: String,
    pub key: String,
    /// Key and secret of the Workflows API.
    workflows: [String; 2],
}

impl Dev {
    pub async fn start(dir: &TestDir, more: &[&str]) -> Self {
        let mut process = Running::start(dir, &[&ANY_PORT, more].concat(), &[]);
        process.says("Ctrl-C stops everything").await;
        let env = std::fs::read_to_string(dir.data_dir().join("env")).unwrap();
        let value = |name: &str| {
            let prefix = format!("export {name}=");
            let line = env.lines().find_map(|line| line.strip_prefix(&prefix));
            line.unwrap_or_else(|| panic!("no {name} in {env}")).to_owned()
        };
        assert_eq!(value("TRUNKLINE_ACCOUNT"), "dev");
        let secret = value("TRUNKLINE_WEBHOOK_SECRET");
        assert!(secret.starts_with("'Bearer trunkline_whk_") && secret.ends_with('\''), "{env}");
        let [url, key] = ["TRUNKLINE_URL", "TRUNKLINE_API_KEY"].map(value);
        let workflows = ["TRUNKLINE_WORKFLOWS_API_KEY", "TRUNKLINE_WORKFLOWS_API_SECRET"].map(value);
        let banner = process.stdout();
        for shown in [&url, &key, &workflows.join(":")] {
            assert!(banner.contains(shown), "no {shown} in {banner}");
        }
        Self { process, url, key, workflows }
    }

    pub fn client(&self) -> Client {
        Client::new(&self.url, Some(&self.key))
    }

    /// For the Workflows API.
    fn workflows(&self) -> Client {
        let [key, secret] = &self.workflows;
        Client::of_workflows(&self.url, key, secret)
    }

    pub async fn write_in(&self, path: &str, message: Value) {
        let (status, answer) = self.client().call("POST", path, Some(&message)).await;
        assert_eq!((status, &answer["webhookStatus"]), (200, &json!(200)), "{answer}");
    }

    /// Waits until the newest message to this number reads so.
    pub async fn sends(&self, destination: &str, text: &str) {
        let path = format!("/sandbox/outbox?destination={destination}&limit=1");
        self.client().get_until(&path, text, |outbox| outbox[0]["body"] == text).await;
    }

    /// The definition of this name.
    pub async fn definition(&self, name: &str) -> String {
        let all = self.client().get("/api/v1/accounts/dev/definitions").await;
        let found = all.as_array().unwrap().iter().find(|one| one["definition"]["name"] == name);
        found.unwrap_or_else(|| panic!("no {name} in {all}"))["id"].as_str().unwrap().to_owned()
    }

    async fn instances(&self, name: &str) -> Vec<Value> {
        let id = self.definition(name).await;
        let list = self.client().get(&format!("/api/v1/accounts/dev/definitions/{id}/workflows")).await;
        list.as_array().unwrap().clone()
    }
}

fn postmaster(dir: &TestDir) -> Pid {
    let text = std::fs::read_to_string(dir.data_dir().join("postgres/data/postmaster.pid")).unwrap();
    Pid::from_raw(text.lines().next().unwrap().trim().parse().unwrap()).unwrap()
}

fn is_gone(pid: Pid) -> bool {
    test_kill_process(pid).is_err()
}

#[tokio::test]
async fn dev_answers_messages_keeps_its_data_and_starts_over() {
    let dir = TestDir::new();
    let dev = Dev::start(&dir, &[]).await;
    for secret in ["env", "master.key"] {
        let mode = dir.data_dir().join(secret).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let master_key = || std::fs::read_to_string(dir.data_dir().join("master.key")).unwrap();
    let first_master_key = master_key();
    let webhook = "/webhooks/v1/accounts/dev/messages";
    assert_eq!(dev.client().call("POST", webhook, Some(&json!({}))).await.0, 401);
    let all = dev.client().get("/api/v1/accounts/dev/definitions").await;
    assert_eq!(all.as_array().unwrap().len(), examples().len());

    let words = format!("is in use by process {}", dev.process.id());
    run(&dir, &ANY_PORT, &[]).failed(1, &words);
    run(&dir, &["dev", "--listen", "127.0.0.1:0", "--reset"], &[]).failed(1, &words);
    let address = dev.url.strip_prefix("http://").unwrap();
    run(&dir, &["dev", "--listen", address, "--data-dir", "other"], &[])
        .failed(1, &format!("cannot listen on `{address}`"));

    the_pong_walk(&dev).await;
    the_menu_waits_for_the_reply_of_its_own_user(&dev).await;
    an_http_call_is_texted(&dev).await;
    chats_are_routed_by_country(&dev).await;
    assert_eq!(dev.client().call("GET", "/metrics", None).await.0, 200);
    assert_eq!(dev.client().get("/fleet").await.as_array().map(Vec::len), Some(2));

    let postgres = postmaster(&dir);
    let (key, workflows) = (dev.key.clone(), dev.workflows.clone());
    assert_eq!(dev.process.stop().await, Some(0));
    assert!(is_gone(postgres));

    let begun = Instant::now();
    let again = Dev::start(&dir, &[]).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "a warm start took {:?}", begun.elapsed());
    assert_eq!((&again.key, master_key()), (&key, first_master_key.clone()));
    assert_eq!(again.workflows, workflows);
    let all = again.client().get("/api/v1/accounts/dev/definitions").await;
    assert_eq!(all.as_array().unwrap().len(), examples().len());
    assert_eq!(again.instances("Pong").await.len(), 1);
    assert_eq!(again.process.stop().await, Some(0));

    let anew = Dev::start(&dir, &["--reset", "--workers", "1"]).await;
    assert_ne!(anew.key, key);
    assert_ne!(anew.workflows, workflows);
    assert_ne!(master_key(), first_master_key);
    assert_eq!(anew.instances("Pong").await.len(), 0);
    let (status, _) =
        Client::new(&anew.url, Some(&key)).call("GET", "/api/v1/accounts/dev/definitions", None).await;
    assert_eq!(status, 401);
    assert_eq!(anew.process.stop().await, Some(0));
}

async fn the_pong_walk(dev: &Dev) {
    dev.write_in("/sandbox/sms", json!({"from": "+6590001111", "text": "ping"})).await;
    dev.sends("6590001111", "Pong. You wrote: ping").await;
    let [instance] = &dev.instances("Pong").await[..] else { panic!("one message, one instance") };
    let id = dev.definition("Pong").await;
    let path = format!(
        "/api/v1/accounts/dev/definitions/{id}/workflows/{}?includeLogs=true",
        instance["workflowId"].as_str().unwrap()
    );
    let instance = dev.client().get_until(&path, "it is complete", |it| it["status"] == "Complete").await;
    assert_eq!(instance["logs"][0]["stepName"], "pong");
    assert_eq!(instance["logs"][0]["status"], "Complete");
    let outbox = dev.client().get("/sandbox/outbox").await;
    assert_eq!(outbox.as_array().unwrap().len(), 1);
    assert_eq!(outbox[0]["idempotencyKey"], instance["logs"][0]["id"]);
}

async fn the_menu_waits_for_the_reply_of_its_own_user(dev: &Dev) {
    let says = async |from: &str, text: &str| {
        dev.write_in("/sandbox/sms", json!({"from": from, "text": text, "subAccountId": "dev_menu"})).await;
    };
    let menu = "Reply 1 for our opening hours, 2 for the way to us.";
    says("+6590002222", "hi").await;
    dev.sends("6590002222", menu).await;
    says("+6590002223", "2").await;
    dev.sends("6590002223", menu).await;
    says("+6590002222", " 1 ").await;
    dev.sends("6590002222", "We are open from 9:00 to 18:00.").await;
    says("+6590002223", "2").await;
    dev.sends("6590002223", "Harbour Street 12, behind the market.").await;
}

async fn an_http_call_is_texted(dev: &Dev) {
    let path = "/api/v1/accounts/dev/triggers/http_request?subAccountId=dev_checks";
    let body = json!({"url": format!("{}/healthz", dev.url), "phone": "+6590003333"});
    assert_eq!(dev.client().call("POST", path, Some(&body)).await.0, 200);
    dev.sends("6590003333", &format!("All is well: {}/healthz answers 200.", dev.url)).await;
    let body = json!({"url": format!("{}/nowhere", dev.url), "phone": "+6590003333"});
    assert_eq!(dev.client().call("POST", path, Some(&body)).await.0, 200);
    dev.sends("6590003333", &format!("Trouble: {}/nowhere answers 404.", dev.url)).await;
}

async fn chats_are_routed_by_country(dev: &Dev) {
    for (from, team) in
        [("+6590001111", "in Singapore"), ("+84912345678", "in Hanoi"), ("U4af4980629", "international")]
    {
        dev.write_in("/sandbox/chat", json!({"from": from, "text": "hi"})).await;
        let text =
            if team.starts_with("in ") { format!("Our team {team}") } else { format!("Our {team} team") };
        dev.sends(from.trim_start_matches('+'), &format!("{text} takes care of you.")).await;
    }
}

/// Needs curl on the machine, as its reader does.
#[tokio::test]
async fn what_the_banner_proposes_works_as_it_stands() {
    let dir = TestDir::new();
    let dev = Dev::start(&dir, &[]).await;
    let banner = dev.process.stdout();
    let (_, proposals) = banner.split_once("Try next, in another shell:\n").unwrap();
    let (proposals, _) = proposals.split_once("\nCtrl-C").unwrap();
    let shell =
        Command::new("sh").args(["-e", "-c", &proposals.replace("curl -s", "curl -fSs")]).output().unwrap();
    assert!(shell.status.success(), "{shell:?}");
    dev.sends("6590001111", "Pong. You wrote: ping").await;
    dev.sends("6590002222", "We are open from 9:00 to 18:00.").await;
    dev.sends("6590003333", &format!("All is well: {}/healthz answers 200.", dev.url)).await;
    let everything = String::from_utf8(shell.stdout).unwrap();
    assert!(everything.contains("\"name\":\"Keyword menu\""), "{everything}");
    dev.sends("6590004444", "Pong. You wrote: hello").await;
    dev.sends("447700900201", "Your parcel is here").await;
    let program = env!("CARGO_BIN_EXE_trunkline");
    assert!(
        banner.ends_with(&format!("\nTo start over: {program} dev --listen 127.0.0.1:0 --reset\n")),
        "{banner}"
    );
    assert_eq!(dev.process.stop().await, Some(0));
}

/// Needs curl, too.
#[tokio::test]
async fn the_walk_of_the_readme_works_as_it_stands() {
    let dir = TestDir::new();
    let dev = Dev::start(&dir, &[]).await;
    let readme = include_str!("../../README.md");
    let (_, walk) = readme.split_once("## From definition to reply").unwrap();
    let (walk, _) = walk.split_once("\n## ").unwrap();
    let blocks = walk.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap());
    let program = env!("CARGO_BIN_EXE_trunkline");
    let script = blocks.collect::<String>().replace("curl -s", "curl -fSs");
    assert!(!script.contains("%header"), "curl knows that since 7.83 only");
    let script = script.replace("target/debug/trunkline", program);
    let shell = Command::new("sh").args(["-e", "-c", &script]).current_dir(dir.path()).output().unwrap();
    assert!(shell.status.success(), "{shell:?}");
    let output = String::from_utf8(shell.stdout).unwrap();
    let [definition, message, outbox, instance, sim @ ..] = &output.lines().collect::<Vec<_>>()[..] else {
        panic!("not an answer per call: {output}")
    };
    assert!(definition.starts_with("/api/v1/accounts/dev/definitions/"), "{output}");
    assert!(message.contains("\"webhookStatus\":200"), "{output}");
    assert!(outbox.contains("\"body\":\"We are open from 9:00 to 18:00.\""), "{output}");
    let instance: Value = serde_json::from_str(instance).unwrap();
    assert_eq!(instance["status"], "Complete");
    let steps: Vec<_> = instance["logs"].as_array().unwrap().iter().map(|entry| &entry["stepName"]).collect();
    assert_eq!(steps, ["about_hours", "hours"]);
    assert!(sim[0].starts_with("Delivered as "), "{output}");
    assert!(sim[1..].iter().any(|line| line.ends_with("We are open from 9:00 to 18:00.")), "{output}");
    assert_eq!(dev.process.stop().await, Some(0));
}

#[tokio::test]
async fn sim_is_a_phone_in_the_shell() {
    let dir = TestDir::new();
    run(&dir, &["sim", "sms", "hello"], &[]).failed(1, "no `trunkline dev` found");
    let dev = Dev::start(&dir, &[]).await;
    assert_eq!(run(&dir, &["sim", "outbox"], &[]).succeeded().stdout, "Nothing was sent.\n");
    run(&dir, &["sim", "sms", "--from", "+6590004444", "hello", "there"], &[]).succeeded();
    dev.sends("6590004444", "Pong. You wrote: hello there").await;
    let elsewhere = TestDir::new();
    let chat = ["sim", "chat", "--from", "+84912345678", "--channel", "viber", "hello"];
    run(&elsewhere, &chat, &[("TRUNKLINE_URL", dev.url.as_str())]).succeeded();
    dev.sends("84912345678", "Our team in Hanoi takes care of you.").await;

    let outbox = run(&dir, &["sim", "outbox", "--to", "+65 9000 4444"], &[]).succeeded().stdout;
    let lines: Vec<&str> = outbox.lines().collect();
    assert_eq!(lines.len(), 2, "{outbox}");
    let id = lines[1].split_whitespace().nth(1).unwrap();
    run(&dir, &["sim", "receipt", id, "delivered"], &[]).succeeded();
    let outbox = run(&dir, &["sim", "outbox", "--to", "+6590004444"], &[]).succeeded().stdout;
    assert!(outbox.contains("delivered"), "{outbox}");
    run(&dir, &["sim", "receipt", id, "eaten"], &[]).failed(1, "Invalid state.");
    run(&dir, &["sim", "message", "--from", " ", "hello"], &[]).failed(1, "Invalid from.");
    assert_eq!(dev.process.stop().await, Some(0));
}

/// A workflow that tries this id on Messenger, then this number by SMS. Its id.
async fn dispatch(dev: &Dev, id: &str, number: &str) -> String {
    let message = |from: Value, to: Value| json!({"from": from, "to": to, "message": {"content": {"type": "text", "text": "Your parcel is here"}}});
    let messenger = |id: &str| json!({"type": "messenger", "id": id});
    let sms = |number: &str| json!({"type": "sms", "number": number});
    let mut first = message(messenger("1000000000000001"), messenger(id));
    first["failover"] = json!({"expiry_time": 600, "condition_status": "read"});
    let workflow = json!([first, message(sms("447700900001"), sms(number))]);
    let request = json!({"template": "failover", "workflow": workflow});
    let (status, answer) = dev.workflows().call("POST", "/v0.1/dispatch", Some(&request)).await;
    assert_eq!(status, 202, "{answer}");
    answer["dispatch_uuid"].as_str().unwrap().to_owned()
}

/// Waits until the workflow has ended well and its report was told. The statuses of its messages, and the report.
async fn completed(dev: &Dev, dispatch: &str) -> ([Value; 2], Value) {
    let path = format!("/v0.1/dispatch/{dispatch}");
    let ended = dev.workflows().get_until(&path, "it has ended", |it| it["status"] == "completed").await;
    let messages = ended["_links"]["messages"].as_array().unwrap();
    let [first, second] = &messages[..] else { panic!("{ended}") };
    assert_eq!([&first["channel"], &second["channel"]], ["messenger", "sms"]);
    let of_report = |told: &Value| {
        let is_report =
            |one: &&Value| one["body"]["template"] == "failover" && one["body"]["dispatch_uuid"] == dispatch;
        told.as_array().unwrap().iter().find(is_report).cloned()
    };
    let told =
        dev.client().get_until("/sandbox/service", "its end is told", |it| of_report(it).is_some()).await;
    let report = of_report(&told).unwrap();
    assert_eq!((&report["path"], &report["status"]), (&json!("/message-status"), &json!(200)));
    ([first["status"].clone(), second["status"].clone()], report["body"].clone())
}

#[tokio::test]
async fn a_workflow_fails_over_in_the_sandbox_by_rule_and_by_hand() {
    let dir = TestDir::new();
    let dev = Dev::start(&dir, &[]).await;
    let by_rule = dispatch(&dev, "2000000000000203", "447700900201").await;
    let (statuses, report) = completed(&dev, &by_rule).await;
    assert_eq!(statuses, ["undeliverable", "delivered"]);
    assert_eq!((&report["status"], &report["usage"]["price"]), (&json!("completed"), &json!("0.0333")));
    // Nothing says in which order statuses and report arrive.
    let is_why = |one: &Value| {
        one["body"]["status"] == "undeliverable"
            && one["body"]["error"] == json!({"code": 1260, "reason": "Destination unreachable"})
    };
    let is_told = |told: &Value| told.as_array().unwrap().iter().any(is_why);
    dev.client().get_until("/sandbox/service", "why it failed is told", is_told).await;

    let by_hand = dispatch(&dev, "2000000000000002", "447700900000").await;
    dev.sends("2000000000000002", "Your parcel is here").await;
    receipt(&dev, &dir, "2000000000000002", &["undeliverable", "--code", "1300"]).await;
    dev.sends("447700900000", "Your parcel is here").await;
    receipt(&dev, &dir, "447700900000", &["delivered", "--price", "0.05"]).await;
    let (statuses, report) = completed(&dev, &by_hand).await;
    assert_eq!(statuses, ["undeliverable", "delivered"]);
    assert_eq!(report["usage"]["price"], "0.05");
    assert_eq!(dev.process.stop().await, Some(0));
}

/// Reports what became of the newest message to this number or id.
async fn receipt(dev: &Dev, dir: &TestDir, to: &str, words: &[&str]) {
    let newest = dev.client().get(&format!("/sandbox/outbox?destination={to}&limit=1")).await;
    let id = newest[0]["umid"].as_str().unwrap();
    run(dir, &[&["sim", "receipt", id], words].concat(), &[]).succeeded();
}

#[tokio::test]
async fn a_lost_file_costs_nothing_but_the_secrets_in_it() {
    let dir = TestDir::new();
    let mut secrets = Vec::new();
    for _ in 0..3 {
        let dev = Dev::start(&dir, &[]).await;
        dev.workflows().get("/v0.1/dispatches").await;
        let [key, secret] = dev.workflows.clone();
        assert_eq!(dev.process.stop().await, Some(0));
        secrets.push((key, secret));
        std::fs::remove_file(dir.data_dir().join("env")).unwrap();
    }
    let [(first, _), (second, _), (third, _)] = &secrets[..] else { panic!("{secrets:?}") };
    assert_eq!((first, second), (second, third), "the key is a name, and kept in the database");
}

#[tokio::test]
async fn nothing_is_left_of_a_dev_that_was_killed() {
    let dir = TestDir::new();
    let dev = Dev::start(&dir, &[]).await;
    let postgres = postmaster(&dir);
    let key = dev.key.clone();
    drop(dev);
    let begun = Instant::now();
    while !is_gone(postgres) {
        assert!(begun.elapsed() < LIMIT, "PostgreSQL outlives its dev");
        look_again().await;
    }
    let again = Dev::start(&dir, &[]).await;
    assert_eq!(again.key, key);
    assert_eq!(again.process.stop().await, Some(0));
    assert!(Path::new(&dir.data_dir()).exists());
}
