//! A word of its own in every place that holds a secret: nobody who reads logs, traces, metrics, errors, histories,
//! lists or what diagnoses an installation finds one of them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::production::{MASTER_KEY, OTHER_KEY, postgres};
use crate::program::{Client, LIMIT, Running, TestDir, look_again, run, run_with_input};

/// Behind which a process says where its metrics are.
const METRICS_AT: &str = "metrics at ";

/// What the provider is sent messages at.
const SMS: &str = "/sms/api/v1/subaccounts/acme_sms/messages";
const REFUSED_SMS: &str = "/sms/api/v1/subaccounts/refused/messages";

/// Everything outside: what steps call, the providers, the customer's callbacks, the collector of traces.
#[derive(Clone, Default)]
struct Outside {
    /// Bodies of what the collector took.
    traces: Arc<Mutex<Vec<Bytes>>>,
    /// Paths that were called, each with its `Authorization`.
    called: Arc<Mutex<Vec<(String, String)>>>,
}

impl Outside {
    async fn start(&self) -> String {
        let outside = self.clone();
        let answer = async move |uri: Uri, headers: HeaderMap, body: Bytes| -> Response {
            let authorization = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
            outside.called.lock().unwrap().push((uri.path().to_owned(), authorization.unwrap_or_default()));
            match uri.path() {
                "/v1/traces" => {
                    outside.traces.lock().unwrap().push(body);
                    StatusCode::OK.into_response()
                }
                "/refuses" | REFUSED_SMS => {
                    (StatusCode::UNAUTHORIZED, axum::Json(json!({"error": "who are you?"}))).into_response()
                }
                "/breaks" => (StatusCode::OK, "this is no JSON").into_response(),
                "/elsewhere" => {
                    (StatusCode::FOUND, [("location", "/after?access_token=canary-redirect-token")])
                        .into_response()
                }
                SMS => axum::Json(json!({"umid": "m-1", "status": {"code": "QUEUED"}})).into_response(),
                "/converse" => axum::Json(json!({"ticketId": "7"})).into_response(),
                "/v0.1/messages" => {
                    (StatusCode::ACCEPTED, axum::Json(json!({"message_uuid": "provider-1"}))).into_response()
                }
                _ => axum::Json(json!({"ok": true})).into_response(),
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(any(answer))).await });
        url
    }

    /// With what it was called at first.
    async fn authorization_at(&self, path: &str) -> String {
        let begun = std::time::Instant::now();
        loop {
            let called = self.called.lock().unwrap().clone();
            if let Some((_, authorization)) = called.iter().find(|(at, _)| at == path) {
                return authorization.clone();
            }
            assert!(begun.elapsed() < LIMIT, "{path} is not called, but {called:?}");
            look_again().await;
        }
    }
}

/// What must not be read, by what it is.
struct Canaries(Vec<(&'static str, String)>);

impl Canaries {
    fn add(&mut self, what: &'static str, secret: &str) {
        assert!(secret.len() >= 8, "{what}: {secret}");
        self.0.push((what, secret.to_owned()));
    }

    #[track_caller]
    fn expect_none_in(&self, place: &str, text: &str) {
        for (what, secret) in &self.0 {
            if let Some(at) = text.find(secret.as_str()) {
                let begins = text[..at].char_indices().rev().nth(200).map_or(0, |(at, _)| at);
                panic!("{what} is in {place}: … {}", &text[begins..at + secret.len()]);
            }
        }
    }
}

fn definition(outside: &str) -> Value {
    let call = |id: &str, path: &str, next: Option<&str>| {
        let host = outside.strip_prefix("http://").unwrap();
        json!({"id": id, "stepType": "HttpRequest", "nextStepId": next, "inputs": {
            "url": format!("http://canary-user:canary-url-password@{host}{path}?access_token=canary-query-token"),
            "method": "POST",
            "headers": {"Authorization": "Bearer canary-header", "X-Api-Key": "canary-api-key-header",
                "Cookie": "session=canary-cookie"},
            "body": {"password": "canary-body-password", "api_secret": "canary-body-secret"}}})
    };
    let converse = json!({"id": "converse", "stepType": "SendToConverse", "nextStepId": "elsewhere",
        "inputs": {"payload": "{{data.payload}}"}});
    json!({"trigger": "http_request", "status": "enabled", "definition": {"name": "Canaries", "steps": [
        sms("acme_sms", Some("well")), call("well", "/well", Some("refuses")),
        call("refuses", "/refuses", Some("converse")), converse, call("elsewhere", "/elsewhere", Some("breaks")),
        call("breaks", "/breaks", None)]}})
}

fn sms(subaccount: &str, next: Option<&str>) -> Value {
    json!({"id": "sms", "stepType": "SMS", "nextStepId": next,
        "inputs": {"subAccountId": subaccount, "destination": "+6590001111", "text": "hello"}})
}

/// Answers whoever writes in, at a provider that does not take its key.
fn refused() -> Value {
    json!({"trigger": "inbound_sms", "status": "enabled",
        "definition": {"name": "Refused", "steps": [sms("refused", None)]}})
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one story, told from its beginning to its end")]
async fn no_secret_is_in_anything_that_others_read() {
    let dir = TestDir::new();
    let cluster = postgres(&dir).await;
    let outside = Outside::default();
    let outside_url = outside.start().await;
    let mut canaries = Canaries(Vec::new());
    canaries.add("the master key", MASTER_KEY);
    canaries.add("the master key before it", OTHER_KEY);
    canaries.add("the database's password", "canary-database-password");
    // Whoever connects here is trusted whatever it says.
    let url = cluster.url("postgres").replacen('@', ":canary-database-password@", 1);
    let of_database = [("DATABASE_URL", url.as_str()), ("TRUNKLINE_LOG", "debug")];
    // What is set up now is sealed with a key that is replaced afterwards.
    let environment = [&of_database[..], &[("TRUNKLINE_MASTER_KEY", OTHER_KEY)]].concat();
    let mut read: Vec<(String, String)> = Vec::new();
    let mut trunkline = |args: &[&str], input: &str| {
        let ended = run_with_input(&dir, args, &environment, input).succeeded();
        read.push((format!("the log of {args:?}"), ended.stderr));
        ended.stdout
    };
    trunkline(&["migrate"], "");
    trunkline(&["account", "create", "acme"], "");
    let key = trunkline(&["key", "create", "acme"], "").trim().to_owned();
    canaries.add("an API key", &key);
    let pair = trunkline(&["credentials", "create", "acme"], "").trim().to_owned();
    let (api_key, secret) = pair.split_once(':').unwrap();
    canaries.add("a secret of the Workflows API", secret);
    canaries.add("the signature secret", trunkline(&["credentials", "signature", "acme"], "").trim());
    let callbacks = ["--status-url", &format!("{outside_url}/statuses")];
    trunkline(&[&["credentials", "callbacks", "acme"], &callbacks[..]].concat(), "");
    let application = trunkline(&["application", "create", "acme", "--name", "Canaries"], "");
    let pem = application.lines().skip_while(|line| !line.contains("PRIVATE KEY")).nth(3).unwrap();
    canaries.add("the private key of an application", pem);
    let shown = trunkline(&["webhook", "show", "acme", "--url", "https://acme.example"], "");
    let words = shown.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let webhook =
        words.clone().find(|word| word.starts_with("trunkline_whk_")).unwrap_or_else(|| panic!("{shown}"));
    canaries.add("the webhook secret", webhook);
    let line = |begin: &str| shown.lines().find_map(|line| line.strip_prefix(begin)).unwrap().trim();
    let platform = line("Authorization ").to_owned();
    let (_, key_presses) = line("Key presses ").split_once("https://acme.example").unwrap();
    canaries.add("the token of key presses", key_presses.split_once("token=").unwrap().1);

    let secret_file = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    let sms = format!("--sms-url={outside_url}/sms");
    trunkline(&["connector", "set", "acme", "8x8", &sms], "canary-8x8-key\n");
    canaries.add("the key of 8x8", "canary-8x8-key");
    secret_file("converse", "Basic canary-converse");
    let converse = format!("--url={outside_url}/converse");
    trunkline(&["connector", "set", "acme", "converse", &converse, "--authorization-file", "converse"], "");
    secret_file("messages", "canary-messages-secret");
    secret_file("signature", "canary-provider-signature-secret");
    let base = format!("--base-url={outside_url}");
    let files = ["--secret-file", "messages", "--signature-secret-file", "signature"];
    trunkline(
        &[&["connector", "set", "acme", "messages-api", "--api-key", "provider", &base], &files[..]].concat(),
        "",
    );
    for canary in [
        "canary-converse",
        "canary-messages-secret",
        "canary-provider-signature-secret",
        "canary-url-password",
        "canary-query-token",
        "canary-header",
        "canary-api-key-header",
        "canary-cookie",
        "canary-body-password",
        "canary-body-secret",
        "canary-redirect-token",
        "canary-otlp-header",
        "canary-wrong-key",
        "canary-wrong-webhook",
        "canary-wrong-token",
    ] {
        canaries.add(canary, canary);
    }
    // As `Authorization` has a pair.
    for (what, pair) in [
        ("what opens the Messages API", "provider:canary-messages-secret"),
        ("what opens the Workflows API", &pair),
        ("what a URL of a step begins with", "canary-user:canary-url-password"),
    ] {
        canaries.add(what, &STANDARD.encode(pair));
    }

    let master_keys = format!("{MASTER_KEY},{OTHER_KEY}");
    let environment = [
        &of_database[..],
        &[
            ("TRUNKLINE_MASTER_KEY", master_keys.as_str()),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20canary-otlp-header"),
        ],
    ]
    .concat();
    let otlp = ["--otlp-endpoint", &outside_url];
    let metrics = ["--metrics-listen", "127.0.0.1:0"];
    let serve = ["serve", "--listen", "127.0.0.1:0", "--log-format", "json"];
    let mut server = Running::start(&dir, &[&serve, &otlp[..], &metrics].concat(), &environment);
    server.says("listening on http").await;
    let address = server.after("listening on ");
    let address = address.split('"').next().unwrap();
    let worker = ["worker", "--name", "alone", "--allow-addresses", "127.0.0.1"];
    let mut worker = Running::start(&dir, &[&worker, &otlp[..], &metrics].concat(), &environment);
    worker.says("worker registered").await;
    let client = Client::new(address, Some(&key));
    let root = "/api/v1/accounts/acme";

    let (status, saved) =
        client.call("POST", &format!("{root}/definitions"), Some(&definition(&outside_url))).await;
    assert_eq!(status, 201, "{saved}");
    let definition = saved["id"].as_str().unwrap();
    let (status, other) = client.call("POST", &format!("{root}/definitions"), Some(&refused())).await;
    assert_eq!(status, 201, "{other}");
    let event = json!({"payload": {"note": "hello"}});
    let (status, _) = client.call("POST", &format!("{root}/triggers/http_request"), Some(&event)).await;
    assert_eq!(status, 200);
    let instances = format!("{root}/definitions/{definition}/workflows");
    let ended =
        |all: &Value| ["Complete", "Terminated"].contains(&all[0]["status"].as_str().unwrap_or_default());
    let all = client.get_until(&instances, "it has ended", ended).await;
    let instance = all[0]["id"].as_str().or(all[0]["workflowId"].as_str()).unwrap().to_owned();
    let workflows = Client::of_workflows(address, api_key, secret);
    let message = json!({"from": {"type": "messenger", "id": "1000000000000001"},
        "to": {"type": "messenger", "id": "2000000000000002"},
        "message": {"content": {"type": "text", "text": "hello"}}, "failover": {"expiry_time": 600, "condition_status": "read"}});
    let last = json!({"from": {"type": "messenger", "id": "1"}, "to": {"type": "messenger", "id": "2"},
        "message": {"content": {"type": "text", "text": "hello"}}});
    let body = json!({"template": "failover", "workflow": [message, last]});
    let (status, dispatched) = workflows.call("POST", "/v0.1/dispatch", Some(&body)).await;
    assert_eq!(status, 202, "{dispatched}");
    let message = json!({"namespace": "SMS", "eventType": "inbound_message_received", "payload": {"umid": "m-2",
        "subAccountId": "acme_sms", "timestamp": "2026-02-03T04:05:06.117Z", "source": "+6590001111",
        "destination": "+6580002222", "body": "hi"}});
    let pressed = json!({"uid": "u1", "clientRequestId": "r1", "destination": "6590001111",
        "status": {"code": "DTMF", "timestamp": "2026-02-03T04:05:06Z"}, "actionDetails": {"dtmf": "2"}});
    let messages = "/webhooks/v1/accounts/acme/messages";
    let wrong_token = "/webhooks/v1/accounts/acme/dtmf?token=canary-wrong-token";
    for (caller, path, body, expected) in [
        (Client::of_platform(address, &platform), messages, &message, 200),
        (Client::of_platform(address, "Bearer canary-wrong-webhook"), messages, &message, 401),
        (Client::new(address, None), key_presses, &pressed, 200),
        (Client::new(address, None), wrong_token, &pressed, 401),
        (Client::new(address, Some("canary-wrong-key")), &format!("{root}/definitions"), &message, 401),
    ] {
        let (status, answer) = caller.call("POST", path, Some(body)).await;
        assert_eq!(status, expected, "{path} {answer}");
        read.push((path.split('?').next().unwrap().to_owned(), answer.to_string()));
    }
    let refused = format!("{root}/definitions/{}/workflows", other["id"].as_str().unwrap());
    let refused_ones = client.get_until(&refused, "the answer is refused", ended).await;
    let refused = format!("{refused}/{}", refused_ones[0]["workflowId"].as_str().unwrap());

    // Each secret was used.
    for (path, expected) in [
        (SMS, "canary-8x8-key"),
        (REFUSED_SMS, "canary-8x8-key"),
        ("/converse", "Basic canary-converse"),
        ("/v0.1/messages", &STANDARD.encode("provider:canary-messages-secret")),
        ("/v1/traces", "Bearer canary-otlp-header"),
        // A token that the signature secret signed.
        ("/statuses", "Bearer "),
        ("/well", "Bearer canary-header"),
        ("/refuses", "Bearer canary-header"),
        ("/breaks", "Bearer canary-header"),
        ("/elsewhere", "Bearer canary-header"),
        ("/after", "Bearer canary-header"),
    ] {
        let authorization = outside.authorization_at(path).await;
        assert!(authorization.contains(expected), "{path} {authorization}");
    }

    // What is answered, well and badly; not what the contract shows: a definition has its steps.
    for path in [
        format!("{instances}/{instance}?includeLogs=true"),
        format!("{instances}/{instance}/errors"),
        format!("{refused}?includeLogs=true"),
        format!("{refused}/errors"),
        format!("{root}/instances/{instance}"),
        format!("{root}/instances/{instance}/history?limit=500"),
        format!("{root}/instances?error=Call"),
        format!("{root}/audit?limit=500"),
        format!("{root}/limits"),
        format!("{root}/usage"),
        format!("{root}/nothing"),
    ] {
        let (_, answer) = client.call("GET", &path, None).await;
        read.push((path, answer.to_string()));
    }
    let dispatch = dispatched["dispatch_uuid"].as_str().unwrap();
    for path in
        ["/v2/applications".to_owned(), format!("/v0.1/dispatch/{dispatch}"), "/v0.1/nothing".to_owned()]
    {
        read.push((path.clone(), workflows.call("GET", &path, None).await.1.to_string()));
    }
    for wrong in [json!({"name": 7}), json!([]), json!({"from": {"step": "nowhere"}})] {
        let path = format!("{root}/instances/{instance}/rerun");
        read.push((format!("{path} {wrong}"), client.call("POST", &path, Some(&wrong)).await.1.to_string()));
        read.push((
            format!("dispatch {wrong}"),
            workflows.call("POST", "/v0.1/dispatch", Some(&wrong)).await.1.to_string(),
        ));
    }
    for process in [&server, &worker] {
        let at = process.after(METRICS_AT);
        let at = at.split('"').next().unwrap().trim_start_matches("http://").trim_end_matches("/metrics");
        let metrics = get(at, "/metrics");
        assert!(metrics.contains("trunkline_"), "{metrics}");
        read.push(("metrics".to_owned(), metrics));
    }
    let mut command = |args: &[&str]| {
        let ended = run(&dir, args, &environment);
        read.push((format!("{args:?}"), format!("{}{}", ended.stdout, ended.stderr)));
    };
    command(&["verify"]);
    command(&["doctor"]);
    command(&["doctor", "-o", "json", "--url", address, "--account", "acme", "--api-key", &key]);
    command(&["connector", "test", "acme", "--subaccount", "acme_sms"]);
    command(&["workers", "list"]);
    command(&["key", "list", "acme"]);
    command(&["connector", "list", "acme"]);
    command(&["credentials", "show", "acme"]);
    command(&["application", "list", "acme"]);
    command(&["account", "list"]);
    let api = ["--url", address, "--account", "acme", "--api-key", &key];
    command(&[&["instance", "show", &instance], &api[..]].concat());
    command(&[&["instance", "history", &instance], &api[..]].concat());
    command(&[&["instance", "list"], &api[..]].concat());
    let resealed = run(&dir, &["master-key", "reseal"], &environment).succeeded();
    read.push(("what is sealed anew".to_owned(), format!("{}{}", resealed.stdout, resealed.stderr)));
    // The steps are the contract's, what the server knows besides is not.
    let pulled =
        run(&dir, &[&["definition", "pull", definition], &api[..]].concat(), &environment).succeeded();
    let own = Canaries(canaries.0.iter().filter(|(_, secret)| !pulled_may_show(secret)).cloned().collect());
    own.expect_none_in("what is pulled", &format!("{}{}", pulled.stdout, pulled.stderr));

    for process in [server, worker] {
        let before = process.stderr();
        let said = process.stdout();
        assert_eq!(process.stop().await, Some(0));
        read.push(("a log".to_owned(), before + &said));
    }
    let files = std::fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "err"));
    let logs: Vec<String> = files.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    assert_eq!(logs.len(), 2, "the server's and the worker's");
    assert!(logs.iter().any(|log| log.contains("DEBUG")), "the level is not debug");
    read.extend(logs.into_iter().map(|log| ("a log to its end".to_owned(), log)));
    let traces = outside.traces.lock().unwrap().concat();
    assert!(!traces.is_empty());
    read.push(("traces".to_owned(), String::from_utf8_lossy(&traces).into_owned()));
    assert!(
        read.iter().any(|(place, text)| place.contains("/history") && text.contains("/refuses")),
        "{read:?}"
    );
    for (place, text) in &read {
        canaries.expect_none_in(place, text);
    }
    cluster.stop().await;
}

/// As a scraper does it.
fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("{address}: {error}"));
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// What a customer wrote into his steps.
fn pulled_may_show(secret: &str) -> bool {
    let of_steps =
        ["url-password", "query-token", "header", "api-key-header", "cookie", "body-password", "body-secret"];
    of_steps.iter().any(|one| secret == format!("canary-{one}"))
}
