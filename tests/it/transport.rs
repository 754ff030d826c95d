//! Keys, errors, bodies: what holds for every operation (spec 2.1, 10.1).

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};
use trunkline::api::ApiConfig;
use trunkline_store::Store;
use trunkline_store::audit::By;
use trunkline_store::keys::{KeySecret, NewKey};

use crate::support::{Answer, TestApp, http_client, inbound_sms, sample, serve};

#[tokio::test]
async fn c_001_a_request_without_a_good_key_is_not_authenticated() {
    let app = TestApp::start().await;
    let unknown = KeySecret::from_random([1; 32]);
    for authorization in
        [None, Some("Bearer"), Some("Bearer x"), Some("Basic YTpi"), Some(app.key()), Some(unknown.reveal())]
    {
        let mut request = app.request(Method::GET, "/api/v1/accounts/acme/definitions");
        if let Some(value) = authorization {
            request = request.header(AUTHORIZATION, value);
        }
        let answer = Answer::of(request).await;
        assert_eq!(
            answer.expect_error(401, 1200),
            "Request was not authenticated properly",
            "{authorization:?}"
        );
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    let request = app.request(Method::GET, "/api/v1/accounts/acme/definitions").bearer_auth(unknown.reveal());
    Answer::of(request).await.expect_error(401, 1200);
}

#[tokio::test]
async fn c_002_a_key_opens_its_own_account_only() {
    let app = TestApp::start().await;
    let (other, key) = app.other_account("other").await;
    let request = app.request(Method::GET, "/api/v1/accounts/acme/definitions").bearer_auth(&key);
    assert_eq!(Answer::of(request).await.expect_error(403, 1201), "Access forbidden");
    let request = app.request(Method::GET, "/api/v1/accounts/nobody/definitions").bearer_auth(&key);
    Answer::of(request).await.expect_error(403, 1201);
    let path = format!("/api/v1/accounts/{other}/definitions");
    let request = app.request(Method::GET, &path).bearer_auth(&key);
    Answer::of(request).await.expect(200);
}

#[tokio::test]
async fn c_003_the_scheme_has_any_letter_case() {
    let app = TestApp::start().await;
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let request = app.request(Method::GET, "/api/v1/accounts/acme/definitions");
        let request = request.header(AUTHORIZATION, format!("{scheme} {}", app.key()));
        Answer::of(request).await.expect(200);
    }
}

#[tokio::test]
async fn a_revoked_key_is_refused() {
    let app = TestApp::start().await;
    let (account, key) = app.other_account("other").await;
    let id = app.store().list_keys(&account).await.unwrap()[0].id;
    assert!(app.store().revoke_key(id, &By::trunkline()).await.unwrap());
    assert!(!app.store().revoke_key(id, &By::trunkline()).await.unwrap());
    let request = app.request(Method::GET, "/api/v1/accounts/other/definitions").bearer_auth(&key);
    Answer::of(request).await.expect_error(401, 1200);
    assert!(app.store().list_keys(&account).await.unwrap()[0].revoked_at.is_some());
}

#[tokio::test]
async fn accounts_and_keys_are_made_once_and_listed() {
    let app = TestApp::start().await;
    assert!(!app.store().create_account(app.account()).await.unwrap());
    app.other_account("a").await;
    let accounts = app.store().list_accounts().await.unwrap();
    assert_eq!(accounts.iter().map(|account| account.id.as_str()).collect::<Vec<_>>(), ["a", "acme"]);
    let keys = app.store().list_keys(app.account()).await.unwrap();
    assert_eq!((keys.len(), keys[0].name.as_str(), keys[0].revoked_at), (1, "tests", None));
    assert!(app.key().starts_with(&keys[0].prefix));
    let secret = KeySecret::from_random([2; 32]);
    let nobody = trunkline_workflow::AccountId::new("nobody");
    assert_eq!(
        app.store().create_key(&nobody, &NewKey::named("x"), &secret, &By::trunkline()).await.unwrap(),
        None
    );
}

#[tokio::test]
async fn c_004_c_005_c_009_errors_have_one_form_and_an_id_of_their_own() {
    let app = TestApp::start().await;
    let mut ids = Vec::new();
    for (method, path, status, code) in [
        (Method::GET, "/", 404, 1300),
        (Method::GET, "/api/v1/accounts/acme/nothing", 404, 1300),
        (Method::GET, "/api/v1/accounts/acme/nothing", 404, 1300),
        (Method::POST, "/docs/nothing.js", 405, 1000),
        (Method::GET, "/docs/nothing.js", 404, 1300),
        (Method::PATCH, "/api/v1/accounts/acme/definitions", 405, 1000),
        (Method::GET, "/api/v1/accounts/acme/definitions", 401, 1200),
    ] {
        let answer = Answer::of(app.request(method, path)).await;
        answer.expect_error(status, code);
        ids.push(answer.json()["errorId"].clone());
    }
    let count = ids.len();
    ids.sort_by_key(Value::to_string);
    ids.dedup();
    assert_eq!(ids.len(), count);
    let wrong = Answer::of(app.request(Method::PATCH, "/api/v1/accounts/acme/definitions")).await;
    assert!(wrong.header("allow").unwrap().contains("POST"));
}

#[tokio::test]
async fn c_006_json_says_that_it_is_json() {
    let app = TestApp::start().await;
    for answer in [app.get("/definitions").await, app.get("/nothing").await] {
        assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    }
}

#[tokio::test]
async fn c_007_c_008_what_is_no_json_is_an_invalid_body_everywhere() {
    let app = TestApp::start().await;
    let definition = app.define(sample::pong()).await;
    let instance = app.start_instance(&definition, json!({})).await;
    let deep = "[".repeat(10_000);
    let bodies: [&[u8]; 9] = [
        b"{",
        b"not json",
        b"{\"a\": 1,}",
        b"// comment\n{}",
        b"{} /* comment */",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b"{\"a\": 1e999}",
        deep.as_bytes(),
    ];
    let writes = [
        (Method::POST, "/definitions".to_owned()),
        (Method::PUT, format!("/definitions/{definition}")),
        (Method::POST, format!("/definitions/{definition}/workflows")),
        (Method::PATCH, instance.clone()),
        (Method::POST, "/triggers/http_request".to_owned()),
    ];
    for (method, path) in &writes {
        for body in bodies {
            let request = app.account_request(method.clone(), path).body(body.to_vec());
            let answer = Answer::of(request.header(CONTENT_TYPE, "application/json")).await;
            let shown = String::from_utf8_lossy(&body[..body.len().min(20)]).into_owned();
            let message = answer.expect_error(400, 1000);
            assert!(message.starts_with("Invalid request body. "), "{method} {path} {shown}: {message}");
            assert!(message.contains(" at line "), "{method} {path} {shown}: {message}");
        }
    }
    for body in bodies {
        let request = app.webhook_request("messages").body(body.to_vec());
        let message = Answer::of(request).await.expect_error(400, 1000);
        assert!(message.starts_with("Invalid request body. "), "{message}");
    }
}

/// Half an emoji: JSON by its grammar, but no text. The platform would drop what we refuse.
#[tokio::test]
async fn c_007_a_lone_surrogate_breaks_a_body_and_no_webhook() {
    let app = TestApp::start().await;
    let definition = app.define(sample::enabled("inbound_sms", None)).await;
    let half = r#"{"half": "x\ud83d"}"#;
    for path in [format!("/definitions/{definition}/workflows"), "/triggers/http_request".to_owned()] {
        let answer = Answer::of(app.account_request(Method::POST, &path).body(half)).await;
        assert_eq!(
            answer.expect_error(400, 1000),
            "Invalid request body. Half of a surrogate pair at line 1 column 18."
        );
    }
    let mut message = inbound_sms("half", "acme_sms");
    message["payload"]["body"] = "MARK \u{1f600}".into();
    let message = message.to_string().replace("MARK", r"x\ud83d");
    Answer::of(app.webhook_request("messages").body(message)).await.expect_empty(200);
    let [instance] = &app.instances_of(&definition).await[..] else { panic!("one message, one instance") };
    assert_eq!(instance["data"]["payload"]["body"], "x\u{fffd} 😀");
}

/// What a client sees that writes its whole body before it reads.
#[tokio::test]
async fn a_body_that_is_too_large_is_answered_and_the_connection_lives_to_tell() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let app = TestApp::start().await;
    let definition = app.define(sample::pong()).await;
    let url = app.webhook_url();
    let host = url.strip_prefix("http://").unwrap().split('/').next().unwrap();
    let body = vec![b' '; 6 << 20];
    let head = format!(
        "POST /api/v1/accounts/acme/definitions/{definition}/workflows HTTP/1.1\r\nHost: {host}\r\n\
         Authorization: Bearer {}\r\nConnection: close\r\n",
        app.key()
    );
    let announced = format!("Content-Length: {}\r\n\r\n", body.len());
    let in_chunks = format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n", body.len());
    for (framing, end) in [(announced, ""), (in_chunks, "\r\n0\r\n\r\n")] {
        let mut connection = tokio::net::TcpStream::connect(host).await.unwrap();
        for part in [head.as_bytes(), framing.as_bytes(), &body, end.as_bytes()] {
            connection.write_all(part).await.unwrap();
        }
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("larger than 1 MiB"), "{answer}");
    }
}

#[tokio::test]
async fn a_body_has_a_type_and_a_size() {
    let app = TestApp::start().await;
    let definition = app.define(sample::pong()).await;
    let start = format!("/definitions/{definition}/workflows");
    for (content_type, status) in [
        ("application/json", 201),
        ("application/json; charset=utf-8", 201),
        ("APPLICATION/JSON", 201),
        ("text/xml", 415),
        ("application/x-www-form-urlencoded", 415),
    ] {
        let request = app.account_request(Method::POST, &start).header(CONTENT_TYPE, content_type).body("{}");
        let answer = Answer::of(request).await;
        answer.expect_status(status);
        if status == 415 {
            answer.expect_error(415, 1000);
        }
    }
    Answer::of(app.account_request(Method::POST, &start).body("{}")).await.expect_empty(201);
    // What `curl -X POST -d ''` sends.
    for (path, status) in [(start.as_str(), 201), ("/triggers/http_request", 200)] {
        let request = app.account_request(Method::POST, path).body("");
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        Answer::of(request).await.expect_empty(status);
    }

    let body_of = |length: usize| format!("{{\"a\": \"{}\"}}", "x".repeat(length - 9));
    let largest = app.account_request(Method::POST, &start).body(body_of(1 << 20));
    Answer::of(largest).await.expect_empty(201);
    let larger = app.account_request(Method::POST, &start).body(body_of((1 << 20) + 1));
    assert_eq!(Answer::of(larger).await.expect_error(413, 1000), "Request body is larger than 1 MiB.");
    let chunks = futures::stream::iter((0..1100).map(|_| Ok::<_, std::io::Error>("x".repeat(1000))));
    let unannounced = app.account_request(Method::POST, &start).body(reqwest::Body::wrap_stream(chunks));
    Answer::of(unannounced).await.expect_error(413, 1000);
}

#[tokio::test]
async fn c_012_unknown_members_are_tolerated_on_all_operations() {
    let app = TestApp::start().await;
    let mut body = sample::pong();
    body["colour"] = "blue".into();
    body["definition"]["colour"] = json!({"r": 1});
    body["definition"]["steps"][0]["colour"] = json!([1, 2]);
    body["definition"]["steps"][0]["inputs"]["colour"] = "red".into();
    let saved = app.post("/definitions", body.clone()).await.expect(201);
    assert_eq!((&saved["colour"], &saved["definition"]["colour"]), (&"blue".into(), &json!({"r": 1})));
    assert_eq!(saved["definition"]["steps"], body["definition"]["steps"]);
    let path = format!("/definitions/{}", saved["id"].as_str().unwrap());
    assert_eq!(app.get(&path).await.expect(200), json!([saved]));
    assert_eq!(app.get("/definitions").await.expect(200), json!([saved]));
    body["COLOUR"] = json!(null);
    for (known, value) in [("ACCOUNTID", "x"), ("Id", "x"), ("VERSION", "x"), ("createdat", "x")] {
        body[known] = value.into();
    }
    let updated = app.put(&path, body).await.expect(200);
    let members: Vec<&String> = updated.as_object().unwrap().keys().collect();
    assert_eq!(
        members,
        [
            "accountId",
            "subAccountId",
            "trigger",
            "status",
            "id",
            "version",
            "createdAt",
            "definition",
            "colour",
            "COLOUR"
        ]
    );
    let instance = app.start_instance(saved["id"].as_str().unwrap(), json!({"colour": 1})).await;
    app.patch(&instance, json!({"status": "suspend", "colour": 1})).await.expect_empty(200);
    app.get("/definitions?colour=blue").await.expect(200);
}

/// As deep as a body may be nested, in every place where unknown members are kept.
#[tokio::test]
async fn c_012_deep_members_that_were_taken_are_shown_again() {
    let app = TestApp::start().await;
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let body = format!(
        r#"{{"trigger": "inbound_sms", "deep": {}, "definition": {{"name": "x", "deep": {}, "steps": [{}]}}}}"#,
        nested(98),
        nested(97),
        sample::sms("a")
    );
    let saved = Answer::of(app.account_request(Method::POST, "/definitions").body(body)).await;
    saved.expect_status(201);
    let listed = app.get("/definitions").await;
    listed.expect_status(200);
    assert_eq!(listed.text, format!("[{}]", saved.text));
    assert!(saved.text.contains(&nested(98)));
}

/// What PostgreSQL's text cannot hold must be refused before it gets there.
#[tokio::test]
async fn nul_characters_are_refused_in_paths_queries_and_what_webhooks_name() {
    let app = TestApp::start().await;
    let answer = app.post("/triggers/http_request?subAccountId=a%00b", json!({})).await;
    assert_eq!(answer.expect_error(400, 1000), "Invalid subAccountId.");
    for (member, value) in [("umid", "a\0b"), ("source", "a\0b"), ("subAccountId", "a\0b")] {
        let mut body = sample::inbound_sms("m", "s");
        body["payload"][member] = value.into();
        app.webhook(body).await.expect_error(400, 1000);
    }
    let nobody = app.request(Method::POST, "/webhooks/v1/accounts/a%00b/messages").json(&json!({}));
    Answer::of(nobody).await.expect_error(400, 1000);
    let nobody = app.request(Method::GET, "/api/v1/accounts/a%00b/definitions").bearer_auth(app.key());
    Answer::of(nobody).await.expect_error(403, 1201);
}

#[tokio::test]
async fn account_ids_are_percent_encoded_in_paths() {
    let app = TestApp::start().await;
    let (_, key) = app.other_account("a b/ü?c").await;
    let root = "/api/v1/accounts/a%20b%2F%C3%BC%3Fc";
    let request = app.request(Method::POST, &format!("{root}/definitions")).bearer_auth(&key);
    let answer = Answer::of(request.json(&sample::pong())).await;
    let saved = answer.expect(201);
    assert_eq!(saved["accountId"], "a b/ü?c");
    let location = answer.header("location").unwrap();
    assert_eq!(location, format!("{root}/definitions/{}", saved["id"].as_str().unwrap()));
    Answer::of(app.request(Method::GET, location).bearer_auth(&key)).await.expect(200);
    for (id, status, code) in [("%zz", 403, 1201), ("a%2", 403, 1201), ("%FF", 400, 1000)] {
        let path = format!("/api/v1/accounts/{id}/definitions");
        Answer::of(app.request(Method::GET, &path).bearer_auth(&key)).await.expect_error(status, code);
    }
}

#[tokio::test]
async fn a_database_that_is_away_is_an_outage_that_may_be_tried_again() {
    let store = Store::open("postgres://nobody@%2Fnowhere:5432/nothing", 1).unwrap();
    let url = serve(store, ApiConfig::default()).await;
    let http = http_client();
    let key = KeySecret::from_random([3; 32]);
    let request = http.get(format!("{url}/api/v1/accounts/acme/definitions")).bearer_auth(key.reveal());
    for request in [request, http.get(format!("{url}/readyz"))] {
        let answer = Answer::of(request).await;
        answer.expect_error(503, 2000);
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    Answer::of(http.get(format!("{url}/healthz"))).await.expect(200);
}

/// Somebody else's mistake that they will mend: nothing that we should call a defect of ours.
#[tokio::test]
async fn a_database_that_refuses_us_or_is_not_there_is_an_outage() {
    let app = TestApp::start().await;
    let (rest, name) = app.direct_url().split_once(":5432/").unwrap();
    let (name, options) = name.split_once('?').unwrap();
    let host = rest.split_once('@').unwrap().1;
    let maybe_pooled = app.database_url().replace(&format!("/{name}?"), "/nothing?");
    let nothing = format!("{rest}:5432/nothing?{options}");
    for url in [maybe_pooled, nothing, format!("postgres://nobody@{host}:5432/{name}?{options}")] {
        let url = serve(Store::open(&url, 1).unwrap(), ApiConfig::default()).await;
        let key = app.key();
        let http = http_client();
        let request = http.get(format!("{url}/api/v1/accounts/acme/definitions")).bearer_auth(key);
        for request in [request, http.get(format!("{url}/readyz"))] {
            let answer = Answer::of(request).await;
            answer.expect_error(503, 2000);
            assert_eq!(answer.header("retry-after"), Some("1"));
        }
    }
}

#[tokio::test]
async fn ready_means_reachable_and_migrated() {
    let app = TestApp::start().await;
    assert_eq!(Answer::of(app.request(Method::GET, "/readyz")).await.expect(200), json!({"status": "ok"}));
    assert_eq!(Answer::of(app.request(Method::GET, "/healthz")).await.expect(200), json!({"status": "ok"}));
    sqlx::query("drop table _sqlx_migrations").execute(app.store().pool()).await.unwrap();
    Answer::of(app.request(Method::GET, "/readyz")).await.expect_error(503, 2000);
}
