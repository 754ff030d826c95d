//! Definitions: create, read, update, delete (spec 2.2–2.6, 3.8, 10.2, 10.3).

use futures::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Answer, TestApp, is_timestamp, sample};

/// A sample whose steps are these.
fn steps(steps: Value) -> Value {
    sample::definition(steps)
}

#[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
fn step(step_type: &str, inputs: Value) -> Value {
    steps(json!([{"id": "s", "stepType": step_type, "inputs": inputs}]))
}

/// A sample with one member set, by JSON pointer.
fn with(pointer: &str, value: Value) -> Value {
    let mut body = sample::pong();
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap()[member] = value;
    body
}

fn without(pointer: &str) -> Value {
    let mut body = sample::pong();
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap().as_object_mut().unwrap().shift_remove(member).unwrap();
    body
}

async fn expect_all_saved(app: &TestApp, bodies: impl IntoIterator<Item = Value>) {
    for body in bodies {
        let saved = app.post("/definitions", body.clone()).await.expect(201);
        assert_eq!(saved["definition"]["steps"], body["definition"]["steps"]);
    }
}

#[tokio::test]
async fn c_010_c_013_c_014_c_015_c_016_c_017_c_019_c_021_a_minimal_definition_is_created() {
    let app = TestApp::start().await;
    let answer = app.post("/definitions", sample::pong()).await;
    let saved = answer.expect(201);
    let id = saved["id"].as_str().unwrap();
    assert_eq!(Uuid::try_parse(id).unwrap().to_string(), id);
    assert_eq!(answer.header("location"), Some(format!("/api/v1/accounts/acme/definitions/{id}").as_str()));
    assert!(is_timestamp(&saved["createdAt"]), "{saved}");
    assert_eq!(
        saved,
        json!({
            "accountId": "acme", "subAccountId": null, "trigger": "inbound_sms", "status": "disabled", "id": id,
            "version": 1, "createdAt": saved["createdAt"],
            "definition": {"id": id, "version": 1, "name": "Sample", "steps": [sample::sms("pong")]}
        })
    );
    let members: Vec<&String> = saved.as_object().unwrap().keys().collect();
    assert_eq!(
        members,
        ["accountId", "subAccountId", "trigger", "status", "id", "version", "createdAt", "definition"]
    );
}

#[tokio::test]
async fn c_018_c_020_what_is_given_is_stored_whatever_its_letter_case() {
    let app = TestApp::start().await;
    let mut body = sample::pong();
    body["status"] = "Enabled".into();
    body["subaccountId"] = "acme_sms".into();
    body["trigger"] = "INBOUND_SMS".into();
    let saved = app.post("/definitions", body).await.expect(201);
    assert_eq!(saved["status"], "enabled");
    assert_eq!(saved["subAccountId"], "acme_sms");
    assert_eq!(saved["trigger"], "inbound_sms");
    assert!(saved.get("subaccountId").is_none());

    let nulls = json!({"accountId": "another", "TRIGGER": "http_request", "status": null, "subAccountId": null,
        "Definition": {"NAME": "x", "Steps": [sample::sms("a")]}});
    let saved = app.post("/definitions", nulls).await.expect(201);
    assert_eq!((&saved["accountId"], &saved["status"]), (&"acme".into(), &"disabled".into()));
    assert_eq!((&saved["subAccountId"], &saved["trigger"]), (&Value::Null, &"http_request".into()));
}

#[tokio::test]
async fn c_022_c_023_ids_in_the_body_are_ignored_and_names_are_not_unique() {
    let app = TestApp::start().await;
    let id = "0b9f3a52-6a0e-4c55-9a0a-3c1d2f6e7b10";
    let mut body = sample::pong();
    body["id"] = id.into();
    body["version"] = 7.into();
    body["definition"]["id"] = id.into();
    body["definition"]["version"] = 7.into();
    let first = app.post("/definitions", body.clone()).await.expect(201);
    let second = app.post("/definitions", body).await.expect(201);
    for saved in [&first, &second] {
        assert_ne!(saved["id"], id);
        assert_eq!(saved["definition"]["id"], saved["id"]);
        assert_eq!((&saved["version"], &saved["definition"]["version"]), (&1.into(), &1.into()));
    }
    assert_ne!(first["id"], second["id"]);
}

#[tokio::test]
async fn c_024_steps_are_echoed_to_the_letter() {
    let app = TestApp::start().await;
    let steps = r#"[ {"zeta": 1.50, "id":"b","stepType":"branch", "selectNextStep":{"y":null,"x":"{{ 1 < 2 }}"},
        "big": 12345678901234567890123, "alpha": null, "text": "\u00e4\/" } ]"#;
    let body = format!(r#"{{"trigger":"inbound_sms","definition":{{"name":"x","steps":{steps}}}}}"#);
    let request = app.account_request(reqwest::Method::POST, "/definitions").body(body);
    let answer = Answer::of(request).await;
    let id = answer.expect(201)["id"].as_str().unwrap().to_owned();
    assert!(answer.text.contains(steps), "{}", answer.text);
    for path in ["/definitions".to_owned(), format!("/definitions/{id}")] {
        assert!(app.get(&path).await.text.contains(steps));
    }
}

#[tokio::test]
async fn c_025_c_026_c_027_c_028_c_029_c_030_c_031_c_032_c_034_broken_definitions_are_refused_with_a_reason()
{
    let app = TestApp::start().await;
    let duplicate = json!([sample::sms("a"), sample::sms("a")]);
    for (body, message) in [
        // C-025, C-026
        (without("/definition/name"), "Workflow name is required."),
        (with("/definition/name", "".into()), "Workflow name is required."),
        (with("/definition/name", " \t".into()), "Workflow name is required."),
        (with("/definition/name", 7.into()), "Workflow name is required."),
        (with("/definition/name", "x".repeat(256).into()), "Workflow name is longer than 255 characters."),
        // C-027
        (without("/definition/steps"), "Workflow steps are required."),
        (steps(json!([])), "Workflow steps are required."),
        (steps(json!({})), "Workflow steps are required."),
        (without("/definition"), "Workflow definition is required."),
        (with("/definition", json!([])), "Workflow definition is required."),
        // C-028, C-029, C-030
        (without("/trigger"), "Trigger is required."),
        (with("/trigger", "outbound_sms".into()), "Trigger 'outbound_sms' is not supported."),
        (with("/trigger", json!(["inbound_sms"])), "Trigger '[\"inbound_sms\"]' is not supported."),
        (with("/status", "paused".into()), "Status 'paused' is not supported."),
        // C-031, C-032, C-034
        (without("/definition/steps/0/id"), "Step id is required."),
        (with("/definition/steps/0/id", "".into()), "Step id is required."),
        (steps(json!([1])), "Step id is required."),
        (steps(duplicate), "Duplicate step id 'a'."),
        (step("Telegram", json!({})), "Step type 'Telegram' is not supported."),
        (with("/subAccountId", 7.into()), "subAccountId must be a string."),
    ] {
        let answer = app.post("/definitions", body.clone()).await;
        assert_eq!(answer.expect_error(400, 5001), message, "{body}");
    }
    for body in [json!([]), json!("x"), json!(null), json!(1)] {
        app.post("/definitions", body).await.expect_error(400, 1000);
    }
    assert_eq!(app.get("/definitions").await.expect(200), json!([]));
}

#[tokio::test]
async fn c_033_c_035_c_036_what_looks_odd_but_is_clear_is_accepted() {
    let app = TestApp::start().await;
    let nested = json!([
        {"id": "if", "stepType": "If", "inputs": {"condition": "{{true}}"}, "do": [[sample::sms("twice")]]},
        sample::sms("twice"),
    ]);
    let untyped =
        json!([{"id": "a", "inputs": {"subAccountId": "s", "destination": "+6590001111", "text": "x"}}]);
    let lower = json!([{"id": "a", "stepType": "branch", "selectNextStep": {"a": "{{false}}"}}]);
    expect_all_saved(&app, [steps(nested), steps(untyped), steps(lower)]).await;
}

#[tokio::test]
async fn c_037_c_038_c_039_c_040_c_041_c_043_required_inputs_are_asked_for() {
    let app = TestApp::start().await;
    let complete = [
        ("SMS", json!({"subAccountId": "s", "destination": "d", "text": "t"})),
        ("ChatAppsMessage", json!({"subAccountId": "s", "user": {}, "type": "text", "content": {}})),
        ("HttpRequest", json!({"url": "https://example.com", "method": "GET"})),
        ("Wait", json!({"duration": "00:01:00"})),
        ("WaitForReply", json!({"from": "f", "channel": "sms"})),
        ("VoiceMessage", json!({"action": "say", "params": {}})),
    ];
    for (step_type, inputs) in complete {
        app.post("/definitions", step(step_type, inputs.clone())).await.expect(201);
        for name in inputs.as_object().unwrap().keys() {
            let mut lacking = inputs.clone();
            lacking.as_object_mut().unwrap().shift_remove(name);
            let mut null = inputs.clone();
            null[name] = Value::Null;
            for inputs in [lacking, null] {
                let answer = app.post("/definitions", step(step_type, inputs)).await;
                assert_eq!(answer.expect_error(400, 5001), format!("Step 's': input '{name}' is required."));
            }
        }
    }
}

#[tokio::test]
async fn c_042_c_045_c_048_c_053_c_054_c_055_liberal_forms_are_accepted() {
    let app = TestApp::start().await;
    let exported = |id: &str, step_type: &str, inputs: Value| {
        json!({"stepType": step_type, "id": id, "do": [], "nextStepId": null, "inputs": inputs, "outputs": {},
            "selectNextStep": {}})
    };
    let mut branch = exported("b", "Branch", json!({}));
    branch["selectNextStep"] = json!({"w": null});
    expect_all_saved(
        &app,
        [
            // C-042
            step("WaitForReply", json!({"from": "{{data.payload.source}}", "channel": "sms"})),
            // C-045
            step("WaitForDTMF", json!({"correlationId": "{{data.call}}"})),
            step("WaitForDTMF", json!({"dtmfRequestId": "{{data.call}}"})),
            // C-048
            step("Wait", json!({"duration": "{{data.pause}}"})),
            step("Wait", json!({"duration": 3})),
            // C-053
            steps(json!([branch, exported("w", "Wait", json!({"duration": "00:00:01"}))])),
            // C-054
            steps(json!([{"id": "a", "stepType": "Wait", "inputs": {"duration": "1"}, "nextStepId": "nowhere"}])),
            // C-055
            steps(json!([{"id": "a", "stepType": "Wait", "inputs": {"duration": "1"}, "nextStepId": "a",
                "selectNextStep": {"a": "{{data.again}}"}}])),
        ],
    )
    .await;
}

#[tokio::test]
async fn voice_steps_name_their_subaccount_in_any_letter_case() {
    let app = TestApp::start().await;
    let inputs = json!({"subaccountId": "v", "ACTION": "SAY", "params": {"text": "hi"}});
    expect_all_saved(&app, [step("VoiceMessage", inputs)]).await;
}

#[tokio::test]
async fn c_046_c_047_routes_timespans_and_actions_are_checked() {
    let app = TestApp::start().await;
    for body in [
        step("Branch", json!({})),
        steps(json!([{"id": "s", "stepType": "Branch", "selectNextStep": {}}])),
        steps(json!([{"id": "s", "stepType": "Branch", "nextStepId": "s"}])),
    ] {
        let answer = app.post("/definitions", body).await;
        assert_eq!(answer.expect_error(400, 5001), "Step 's': selectNextStep is required.");
    }
    for timespan in ["24:00:00", "soon", "-1", ""] {
        let answer = app.post("/definitions", step("Wait", json!({"duration": timespan}))).await;
        assert_eq!(answer.expect_error(400, 5001), format!("Step 's': invalid timespan '{timespan}'."));
    }
    let answer =
        app.post("/definitions", step("VoiceMessage", json!({"action": "sing", "params": {}}))).await;
    assert_eq!(answer.expect_error(400, 5001), "Step 's': action 'sing' is not supported.");
}

#[tokio::test]
async fn c_049_c_050_scripts_are_checked_wherever_they_stand() {
    let app = TestApp::start().await;
    let script = |length: usize| format!("{{{{{}}}}}", "1".repeat(length));
    let wait = |inputs: Value, outputs: Value, select: Value| {
        steps(
            json!([{"id": "s", "stepType": "Wait", "inputs": inputs, "outputs": outputs, "selectNextStep": select}]),
        )
    };
    let places = |script: &str| {
        [
            wait(json!({"duration": "1", "deep": [{"er": format!("a {script} b")}]}), json!({}), json!({})),
            wait(json!({"duration": "1"}), json!({"x": script}), json!({})),
            wait(json!({"duration": "1"}), json!({}), json!({"s": script})),
            steps(json!([{"id": "s", "stepType": "If", "inputs": {"condition": script}, "do": []}])),
            steps(json!([{"id": "if", "stepType": "If", "inputs": {"condition": "{{true}}"},
                "do": [[{"id": "s", "stepType": "Wait", "inputs": {"duration": script}}]]}])),
        ]
    };
    expect_all_saved(&app, places(&script(1000))).await;
    for body in places(&script(1001)) {
        let answer = app.post("/definitions", body).await;
        assert_eq!(answer.expect_error(400, 5001), "Step 's': script exceeds 1000 characters.");
    }
    for broken in ["{{data.x = 1}}", "{{ 1 + }}", "{{ function f() {} }}", "{{ while (true) {} }}"] {
        for body in places(broken) {
            let answer = app.post("/definitions", body).await;
            assert_eq!(answer.expect_error(400, 5001), "Step 's': invalid script.", "{broken}");
        }
    }
}

/// As odd as the official sample of a create request: an `If` without inputs but with a body, a step id that
/// stands in the body and at the top, routes to steps that do not exist, `correlationId`, a route back,
/// steps that nobody leads to, and bare names in conditions.
#[tokio::test]
async fn c_051_a_definition_with_all_the_oddities_of_the_official_sample_is_accepted() {
    let app = TestApp::start().await;
    let body = json!({
        "subaccountId": "acme_chat",
        "trigger": "inbound_chat_apps",
        "status": "enabled",
        "definition": {"name": "All kinds of steps", "steps": [
            {"id": "greet", "stepType": "ChatAppsMessage",
                "inputs": {"subAccountId": "acme_chat", "user": {"msisdn": "{{data.payload.user.msisdn}}"},
                    "type": "text", "content": {"text": "1 or 2?", "sms": {"text": "1 or 2?", "encoding": "Auto"}}},
                "outputs": {"umid": "{{step.umid}}"}, "nextStepId": "ask"},
            {"id": "ask", "stepType": "WaitForReply",
                "inputs": {"from": "{{data.payload.user.channelUserId}}", "channel": "RCS", "timeout": "2"},
                "outputs": {"reply": "{{step.reply.payload.content.text}}"},
                "selectNextStep": {"lookup": "{{ step.reply != null }}", "others": null}},
            {"id": "lookup", "stepType": "HttpRequest",
                "inputs": {"url": "https://example.com/{{data.reply}}", "method": "GET", "timeoutSeconds": 20,
                    "headers": {"content-Type": "application/json"}, "parameters": {"a": 1}, "body": {},
                    "outputs": {"ignored": "{{step.responseCode}}"}},
                "outputs": {"http_request_response_code": "{{step.responseCode}}"}, "nextStepId": "if"},
            {"id": "if", "stepType": "If", "do": [[
                {"id": "again", "stepType": "Wait", "inputs": {"duration": "0.00:05:00"}, "nextStepId": "ask"}]]},
            {"id": "again", "stepType": "branch", "inputs": {"minutes": 5},
                "selectNextStep": {"ask": "{{http_request_response_code >= 400}}", "dtmf_1": "{{data.x == 1}}"}},
            {"id": "call", "stepType": "VoiceMessage",
                "inputs": {"subaccountId": "acme_voice", "clientRequestId": "{{uuid()}}", "action": "say&capture",
                    "params": {"source": "+6580002222", "destination": "{{data.payload.user.msisdn}}",
                        "text": "Press 1", "voiceProfile": "en-US-ZiraRUS", "repetition": 1, "endMessage": null}},
                "outputs": {"request": "{{step.response.clientRequestId}}"},
                "nextStepId": "press", "selectNextStep": {"press": null}},
            {"id": "press", "stepType": "WaitForDTMF",
                "inputs": {"correlationId": "{{data.request}}", "timeout": "00:02:00"},
                "outputs": {"digits": "{{step.dtmfData.actionDetails.dtmf}}"},
                "selectNextStep": {"dtmf_2": "{{data.digits == '2'}}", "others": null}},
            {"id": "hand_over", "stepType": "SendToConverse", "inputs": {"payload": "{{data.payload}}"},
                "outputs": {"ticket": "{{step.ticketId}}"}},
            {"id": "jump", "stepType": "Goto", "inputs": {"stepId": "ask"}}
        ]}
    });
    let saved = app.post("/definitions", body.clone()).await.expect(201);
    assert_eq!(saved["definition"]["steps"], body["definition"]["steps"]);
    assert_eq!(saved["subAccountId"], "acme_chat");
}

/// Definitions of our own in the manner of the guides' examples.
#[tokio::test]
async fn c_052_definitions_in_the_manner_of_the_guides_are_accepted() {
    let app = TestApp::start().await;
    let out_of_office = json!([
        {"id": "hours", "stepType": "Branch", "selectNextStep": {
            "away": "{{!isTimeOfDayBetween(data.payload.timestamp, '09:00:00', '17:00:00', 'Singapore Standard Time')}}",
            "weekend": "{{isDayOfWeek(data.payload.timestamp, ['Saturday', 'Sunday'], 'Singapore Standard Time')}}"}},
        sample::sms("away"),
        sample::sms("weekend"),
    ]);
    let by_keyword = json!([
        {"id": "keyword", "stepType": "branch", "selectNextStep": {
            "stop": "{{stringContains(data.payload.body, 'STOP')}}",
            "country": "{{isCountryCode(data.payload.source, 'SG')}}", "others": null}},
        {"id": "stop", "stepType": "HttpRequest", "inputs": {"url": "https://example.com/optout", "method": "post",
            "body": {"number": "{{data.payload.source}}", "list": ["{{data.list}}", 1]}},
            "selectNextStep": {"confirm": "{{step.responseCode == 200}}", "failed": "{{step.responseCode != 200}}"}},
        sample::sms("confirm"),
        sample::sms("country"),
    ]);
    let survey = json!([
        sample::sms("ask"),
        {"id": "wait", "stepType": "WaitForReply",
            "inputs": {"from": "{{data.payload.source}}", "channel": "sms", "timeout": "00:10:00"},
            "outputs": {"answer": "{{step.reply.payload.body}}"},
            "selectNextStep": {"thanks": "{{step.reply != null}}", "late": "{{step.reply == null}}"}},
        sample::sms("thanks"),
        sample::sms("late"),
    ]);
    expect_all_saved(&app, [steps(out_of_office), steps(by_keyword), steps(survey)]).await;
}

#[tokio::test]
async fn c_056_c_057_c_058_c_059_the_list_has_every_definition_once_in_its_newest_version() {
    let app = TestApp::start().await;
    assert_eq!(app.get("/definitions").await.expect(200), json!([]));
    let first = app.define(sample::pong()).await;
    let second = app.define(sample::enabled("http_request", None)).await;
    app.put(&format!("/definitions/{first}"), with("/definition/name", "New".into())).await.expect(200);
    let list = app.get("/definitions").await.expect(200);
    let seen: Vec<_> =
        list.as_array().unwrap().iter().map(|d| (d["id"].clone(), d["version"].clone())).collect();
    assert_eq!(seen, [(second.clone().into(), 1.into()), (first.into(), 2.into())]);
    assert_eq!(list[1]["definition"]["name"], "New");

    let enabled = app.get("/definitions?status=Enabled").await.expect(200);
    assert_eq!((enabled.as_array().unwrap().len(), &enabled[0]["id"]), (1, &second.into()));
    assert_eq!(app.get("/definitions?status=on").await.expect_error(400, 1000), "Invalid status.");
}

#[tokio::test]
async fn c_060_c_062_lists_come_in_pages() {
    let app = TestApp::start().await;
    let mut ids = Vec::new();
    for _ in 0..102 {
        ids.push(app.define(sample::pong()).await);
    }
    ids.reverse();
    let page = async |query: &str| {
        let list = app.get(&format!("/definitions{query}")).await.expect(200);
        let list = list.as_array().unwrap().iter();
        list.map(|definition| definition["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(page("").await, ids[..100]);
    assert_eq!(page("?limit=1").await, ids[..1]);
    assert_eq!(page("?limit=1&offset=1").await, ids[1..2]);
    assert_eq!(page("?limit=500&offset=100").await, ids[100..]);
    assert!(page("?offset=9223372036854775807").await.is_empty());
}

#[tokio::test]
async fn lists_of_large_definitions_are_as_whole_as_those_of_small_ones() {
    let app = TestApp::start().await;
    let large = |letter: &str| {
        steps(json!([{"id": letter, "stepType": "If", "outputs": {"x": letter.repeat(600_000)}}]))
    };
    let mut id = String::new();
    for letter in ["a", "b", "c"] {
        id = app.define(large(letter)).await;
    }
    let letters = |list: &Value| -> Vec<String> {
        let of = |one: &Value| {
            let step = &one["definition"]["steps"][0];
            assert_eq!(step["outputs"]["x"].as_str().unwrap().len(), 600_000);
            step["id"].as_str().unwrap().to_owned()
        };
        list.as_array().unwrap().iter().map(of).collect()
    };
    assert_eq!(letters(&app.get("/definitions").await.expect(200)), ["c", "b", "a"]);
    for letter in ["d", "e"] {
        app.put(&format!("/definitions/{id}"), large(letter)).await.expect(200);
    }
    assert_eq!(letters(&app.get(&format!("/definitions/{id}")).await.expect(200)), ["e", "d", "c"]);
    assert_eq!(
        letters(&app.get("/definitions?status=disabled&limit=500").await.expect(200)),
        ["e", "b", "a"]
    );
}

#[tokio::test]
async fn c_061_c_101_parameters_out_of_range_are_refused_by_name() {
    let app = TestApp::start().await;
    let id = app.define(sample::pong()).await;
    let definition = format!("/definitions/{id}");
    let workflows = format!("/definitions/{id}/workflows");
    for path in ["/definitions", &definition, &workflows] {
        for (query, message) in [
            ("limit=0", "Invalid limit."),
            ("limit=501", "Invalid limit."),
            ("limit=abc", "Invalid limit."),
            ("limit=", "Invalid limit."),
            ("limit=1.0", "Invalid limit."),
            ("limit=99999999999999999999", "Invalid limit."),
            ("offset=-1", "Invalid offset."),
            ("offset=99999999999999999999", "Invalid offset."),
        ] {
            assert_eq!(app.get(&format!("{path}?{query}")).await.expect_error(400, 1000), message);
        }
    }
    for (query, message) in [
        ("version=0", "Invalid version."),
        ("version=-1", "Invalid version."),
        ("version=x", "Invalid version."),
        ("status=Done", "Invalid status."),
        ("startTimeFrom=soon", "Invalid startTimeFrom."),
        ("startTimeTo=", "Invalid startTimeTo."),
        ("startTimeTo=-300000-01-01T00:00:00Z", "Invalid startTimeTo."),
    ] {
        assert_eq!(app.get(&format!("{workflows}?{query}")).await.expect_error(400, 1000), message);
    }
    app.post(&format!("{workflows}?version=0"), json!({})).await.expect_error(400, 1000);
    app.delete(&format!("{definition}?version=x")).await.expect_error(400, 1000);
    app.get(&format!("{workflows}?version=99999999999&startTimeFrom=0000-01-01T00:00:00Z")).await.expect(200);
}

#[tokio::test]
async fn c_063_definitions_of_another_account_are_not_seen() {
    let app = TestApp::start().await;
    let (_, key) = app.other_account("other").await;
    let id = app.define(sample::pong()).await;
    let theirs = async |method: reqwest::Method, path: &str, body: Value| {
        let request = app.request(method, &format!("/api/v1/accounts/other{path}")).bearer_auth(&key);
        Answer::of(request.json(&body)).await
    };
    let (get, put, post) = (reqwest::Method::GET, reqwest::Method::PUT, reqwest::Method::POST);
    assert_eq!(theirs(get.clone(), "/definitions", json!({})).await.expect(200), json!([]));
    assert_eq!(theirs(get.clone(), &format!("/definitions/{id}"), json!({})).await.expect(200), json!([]));
    theirs(put, &format!("/definitions/{id}"), sample::pong()).await.expect_error(404, 1300);
    theirs(reqwest::Method::DELETE, &format!("/definitions/{id}"), json!({})).await.expect_error(404, 1300);
    theirs(post, &format!("/definitions/{id}/workflows"), json!({})).await.expect_error(404, 1300);
    theirs(get, &format!("/definitions/{id}/workflows"), json!({})).await.expect_error(404, 1300);
    assert_eq!(app.get("/definitions").await.expect(200).as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn c_064_c_065_c_066_c_067_the_history_has_every_version_the_newest_first() {
    let app = TestApp::start().await;
    let id = app.define(sample::pong()).await;
    for _ in 0..2 {
        app.put(&format!("/definitions/{id}"), sample::pong()).await.expect(200);
    }
    let versions = async |path: String| {
        let list = app.get(&path).await.expect(200);
        list.as_array().unwrap().iter().map(|d| d["version"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(versions(format!("/definitions/{id}")).await, [3, 2, 1]);
    assert_eq!(versions(format!("/definitions/{}", id.to_uppercase())).await, [3, 2, 1]);
    assert_eq!(versions(format!("/definitions/{}", id.replace('-', ""))).await, [3, 2, 1]);
    assert_eq!(versions(format!("/definitions/{id}?limit=1&offset=1")).await, [2]);
    assert_eq!(app.get(&format!("/definitions/{}", Uuid::new_v4())).await.expect(200), json!([]));
    for malformed in ["not-a-uuid", "1", "%7B0b9f3a52-6a0e-4c55-9a0a-3c1d2f6e7b10%7D", "%00", "%FF"] {
        let answer = app.get(&format!("/definitions/{malformed}")).await;
        let message = answer.expect_error(400, 1000);
        assert!(malformed == "%FF" || message == "Invalid definition id.", "{malformed} {message}");
    }
}

#[tokio::test]
async fn c_068_c_069_c_070_c_071_an_update_is_a_new_version() {
    let app = TestApp::start().await;
    let mut body = sample::enabled("inbound_sms", Some("acme_sms"));
    let old = app.post("/definitions", body.clone()).await.expect(201);
    let path = format!("/definitions/{}", old["id"].as_str().unwrap());
    body.as_object_mut().unwrap().shift_remove("status");
    body.as_object_mut().unwrap().shift_remove("subAccountId");
    body["definition"]["name"] = "New".into();
    let answer = app.put(&path, body).await;
    let new = answer.expect(200);
    assert_eq!(answer.header("location"), None);
    assert_eq!((&new["id"], &new["version"]), (&old["id"], &2.into()));
    assert_eq!((&new["status"], &new["subAccountId"]), (&"disabled".into(), &Value::Null));
    assert_eq!(new["definition"]["version"], 2);
    assert_eq!(new["createdAt"], old["createdAt"]);
    assert_eq!(app.get(&path).await.expect(200), json!([new, old]));
}

#[tokio::test]
async fn c_072_c_073_an_update_that_cannot_be_made_changes_nothing() {
    let app = TestApp::start().await;
    let nobody = Uuid::new_v4();
    let answer = app.put(&format!("/definitions/{nobody}"), sample::pong()).await;
    assert_eq!(answer.expect_error(404, 1300), format!("Definition {nobody} not found."));
    app.put("/definitions/x", sample::pong()).await.expect_error(400, 1000);
    let id = app.define(sample::pong()).await;
    let path = format!("/definitions/{id}");
    app.put(&path, with("/definition/name", " ".into())).await.expect_error(400, 5001);
    assert_eq!(app.get(&path).await.expect(200).as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn c_074_updates_at_the_same_time_make_different_versions() {
    let app = TestApp::start().await;
    let path = format!("/definitions/{}", app.define(sample::pong()).await);
    let answers = join_all((0..8).map(|_| app.put(&path, sample::pong()))).await;
    let mut versions: Vec<_> = answers.iter().map(|a| a.expect(200)["version"].as_i64().unwrap()).collect();
    versions.sort_unstable();
    assert_eq!(versions, (2..=9).collect::<Vec<_>>());
    let list = app.get("/definitions").await.expect(200);
    assert_eq!((list.as_array().unwrap().len(), &list[0]["version"]), (1, &9.into()));
}

#[tokio::test]
async fn c_076_an_instance_runs_on_the_version_that_was_newest_at_its_start() {
    let app = TestApp::start().await;
    let id = app.define(sample::pong()).await;
    let before = app.start_instance(&id, json!({})).await;
    app.put(&format!("/definitions/{id}"), sample::pong()).await.expect(200);
    let after = app.start_instance(&id, json!({})).await;
    assert_eq!(app.get(&before).await.expect(200)["version"], 1);
    assert_eq!(app.get(&after).await.expect(200)["version"], 2);
}

#[tokio::test]
async fn c_077_c_078_c_083_c_086_a_deleted_definition_is_gone_at_once() {
    let app = TestApp::start().await;
    let id = app.define(sample::enabled("http_request", None)).await;
    let kept = app.define(sample::enabled("http_request", None)).await;
    let instance = app.start_instance(&id, json!({})).await;
    let path = format!("/definitions/{id}");
    app.delete(&path).await.expect_empty(202);

    let list = app.get("/definitions").await.expect(200);
    assert_eq!((list.as_array().unwrap().len(), &list[0]["id"]), (1, &kept.clone().into()));
    assert_eq!(app.get(&path).await.expect(200), json!([]));
    let gone = format!("Definition {id} not found.");
    for answer in [
        app.get(&instance).await,
        app.get(&format!("{instance}?includeLogs=true")).await,
        app.get(&format!("{instance}/errors")).await,
        app.patch(&instance, json!({"status": "suspend"})).await,
        app.get(&format!("{path}/workflows")).await,
        app.post(&format!("{path}/workflows"), json!({})).await,
        app.put(&path, sample::pong()).await,
        app.delete(&path).await,
    ] {
        assert_eq!(answer.expect_error(404, 1300), gone);
    }
    app.post("/triggers/http_request", json!({})).await.expect_empty(200);
    assert_eq!(app.instances_of(&kept).await.len(), 1);
    let started: i64 = sqlx::query_scalar("select count(*) from instances where definition_id = $1")
        .bind(Uuid::try_parse(&id).unwrap())
        .fetch_one(app.store().pool())
        .await
        .unwrap();
    assert!(started <= 1, "only the one from before, until upkeep removes it");
}

#[tokio::test]
async fn c_079_c_080_c_081_one_version_is_deleted_and_its_number_is_not_used_again() {
    let app = TestApp::start().await;
    let id = app.define(sample::enabled("http_request", None)).await;
    let path = format!("/definitions/{id}");
    let versions = async || {
        let list = app.get(&path).await.expect(200);
        list.as_array().unwrap().iter().map(|d| d["version"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    for _ in 0..2 {
        app.put(&path, sample::pong()).await.expect(200);
    }
    let old = app.start_instance(&id, json!({})).await;
    app.delete(&format!("{path}?version=1")).await.expect_empty(202);
    assert_eq!(versions().await, [3, 2]);
    assert_eq!(app.get("/definitions").await.expect(200)[0]["version"], 3);

    app.delete(&format!("{path}?version=3")).await.expect_empty(202);
    let list = app.get("/definitions").await.expect(200);
    assert_eq!((&list[0]["version"], &list[0]["status"]), (&2.into(), &"disabled".into()));
    app.get(&old).await.expect_error(404, 1300);
    assert_eq!(app.put(&path, sample::pong()).await.expect(200)["version"], 4);
    assert_eq!(versions().await, [4, 2]);

    app.delete(&format!("{path}?version=2")).await.expect_empty(202);
    app.delete(&format!("{path}?version=4")).await.expect_empty(202);
    app.delete(&path).await.expect_error(404, 1300);
    assert_eq!(app.get("/definitions").await.expect(200), json!([]));
}

#[tokio::test]
async fn c_084_c_085_deleting_what_is_not_there_is_an_error() {
    let app = TestApp::start().await;
    let nobody = Uuid::new_v4();
    let answer = app.delete(&format!("/definitions/{nobody}")).await;
    assert_eq!(answer.expect_error(404, 1300), format!("Definition {nobody} not found."));
    assert_eq!(app.delete("/definitions/x").await.expect_error(400, 1000), "Invalid definition id.");
    let id = app.define(sample::pong()).await;
    let answer = app.delete(&format!("/definitions/{id}?version=2")).await;
    assert_eq!(answer.expect_error(404, 1300), format!("Definition {id} not found."));
    app.delete(&format!("/definitions/{id}?version=99999999999")).await.expect_error(404, 1300);
    assert_eq!(app.get(&format!("/definitions/{id}")).await.expect(200).as_array().unwrap().len(), 1);
}

/// A definition deleted while somebody updates it is either deleted with the new version or updated first.
#[tokio::test]
async fn updates_and_deletions_at_the_same_time_leave_one_newest_version_or_none() {
    let app = TestApp::start().await;
    for _ in 0..5 {
        let path = format!("/definitions/{}", app.define(sample::pong()).await);
        app.put(&path, sample::pong()).await.expect(200);
        let one = format!("{path}?version=2");
        let (update, delete) = tokio::join!(app.put(&path, sample::pong()), app.delete(&one));
        update.expect(200);
        delete.expect_empty(202);
        let history = app.get(&path).await.expect(200);
        assert_eq!((&history[0]["version"], &history[1]["version"]), (&3.into(), &1.into()));
        let (update, delete) = tokio::join!(app.put(&path, sample::pong()), app.delete(&path));
        delete.expect_empty(202);
        assert!([200, 404].contains(&update.status.as_u16()));
        assert_eq!(app.get(&path).await.expect(200), json!([]));
    }
}

/// As some of those who wrote about the API spell it (spec 2.3).
#[tokio::test]
async fn a_definition_is_created_at_the_singular_path_too() {
    let app = TestApp::start().await;
    let answer = app.post("/definition", sample::pong()).await;
    let saved = answer.expect(201);
    let path = format!("/definitions/{}", saved["id"].as_str().unwrap());
    assert_eq!(answer.header("location"), Some(format!("/api/v1/accounts/acme{path}").as_str()));
    assert_eq!(app.get(&path).await.expect(200), json!([saved]));
    app.get("/definition").await.expect_error(405, 1000);
    let stranger = app.request(reqwest::Method::POST, "/api/v1/accounts/acme/definition");
    Answer::of(stranger.json(&sample::pong())).await.expect_error(401, 1200);
}
