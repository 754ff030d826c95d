//! `POST /webhooks/v1/accounts/{accountId}/inbound-message`: what users write is handed on to the customer
//! (Dispatch 9.1, 10).

use serde_json::{Value, json};
use trunkline_store::applications::ApplicationFields;
use trunkline_store::audit::By;
use trunkline_store::nexmo_accounts::CallbackUrls;
use trunkline_store::webhook_settings::{Headerless, url_token};
use uuid::Uuid;

use crate::nexmo::site::{keys, verify_webhook};
use crate::support::{Answer, Engine, WEBHOOK_SECRET, until};

const WEBHOOK: &str = "inbound-message";

fn inbound(url: Option<String>) -> CallbackUrls {
    CallbackUrls { status: None, inbound: url }
}

/// The account has an API key, and this address.
async fn engine(path: Option<&str>) -> Engine {
    let engine = Engine::start().await;
    let store = engine.app.store();
    store.ensure_nexmo_account(engine.app.account(), "abcd1234", &By::trunkline()).await.unwrap().unwrap();
    let url = path.map(|path| format!("{}{path}", engine.endpoint.url));
    assert!(
        store.set_account_callbacks(engine.app.account(), &inbound(url), &By::trunkline()).await.unwrap()
    );
    engine
}

/// An application with this address.
async fn application(engine: &Engine, path: Option<&str>) -> Uuid {
    let urls = inbound(path.map(|path| format!("{}{path}", engine.endpoint.url)));
    let fields = ApplicationFields { name: "Parcel alerts".to_owned(), urls };
    let pem = keys().await[0].public.to_pem();
    let (store, account) = (engine.app.store(), engine.app.account());
    let id = Uuid::new_v4();
    store.create_application(account, id, &fields, &pem, &By::trunkline()).await.unwrap();
    id
}

fn sms(id: &str) -> Value {
    json!({"message_uuid": id, "timestamp": "2024-05-04T10:20:00.000Z",
        "to": {"type": "sms", "number": "447700900001"}, "from": {"type": "sms", "number": "447700900000"},
        "message": {"content": {"type": "text", "text": "Thanks!"}, "sms": {"num_messages": "1"}}})
}

/// What the customer was told under this path, once it is so much.
async fn told(engine: &Engine, path: &str, count: usize) -> Vec<Value> {
    until("the customer is told", || async { engine.endpoint.bodies_at(path).len() >= count }).await;
    let bodies = engine.endpoint.bodies_at(path);
    assert_eq!(bodies.len(), count, "{bodies:?}");
    bodies
}

async fn states(engine: &Engine) -> Vec<String> {
    sqlx::query_scalar("select state from callbacks order by id")
        .fetch_all(engine.app.store().pool())
        .await
        .unwrap()
}

/// A webhook body, and what the customer is told of it besides id and time: to, from, message, usage.
type Case = (Value, [Value; 4]);

fn address(channel: &str, member: &str, address: &str) -> Value {
    json!({"type": channel, member: address})
}

/// A message of the first generation is handed on as it is.
fn as_it_is(to: &Value, from: &Value, message: &Value) -> Case {
    let body = json!({"message_uuid": Uuid::new_v4(), "timestamp": "2024-05-04T10:20:00Z", "to": to, "from": from,
        "message": message});
    (body, [to.clone(), from.clone(), message.clone(), json!(null)])
}

/// Each channel of the table in Dispatch 10, in both generations.
fn cases() -> Vec<Case> {
    let text = json!({"content": {"type": "text", "text": "Thanks! Grüße 😀"}});
    let image =
        json!({"content": {"type": "image", "image": {"url": "https://a.example/1.jpg", "caption": "c"}}});
    let place = json!({"content": {"type": "location", "location": {"longitude": "-74.18847", "latitude": "40.34772",
        "name": "Here"}}});
    let (user, number) = ("447700900000", "447700900001");
    let v1 = |channel: &str, to: &str, from: &str, content: Value| {
        let mut body = json!({"message_uuid": Uuid::new_v4(), "timestamp": "2024-05-04 10:20:00 +0000",
            "channel": channel, "to": to, "from": from});
        body.as_object_mut().unwrap().extend(content.as_object().unwrap().clone());
        body
    };
    let [sms, mms, whatsapp] = ["sms", "mms", "whatsapp"]
        .map(|channel| [number, user].map(|number| address(channel, "number", number)));
    let [viber_to, viber_from] =
        [address("viber_service_msg", "id", "12345"), address("viber_service_msg", "number", user)];
    let [page, person] = ["1000000000000001", "2000000000000002"].map(|id| address("messenger", "id", id));
    let unsupported = json!({"content": {"type": "unsupported"}});
    let mut paid = as_it_is(
        &sms[0],
        &sms[1],
        &json!({"content": {"type": "text", "text": "Hi"}, "sms": {"num_messages": "2"}}),
    );
    paid.0["usage"] = json!({"price": "0.0333", "currency": "EUR"});
    paid.1[3] = paid.0["usage"].clone();
    vec![
        paid.clone(),
        as_it_is(&mms[0], &mms[1], &image),
        as_it_is(&whatsapp[0], &whatsapp[1], &place),
        as_it_is(&viber_to, &viber_from, &text),
        as_it_is(&page, &person, &text),
        (
            v1(
                "sms",
                number,
                user,
                json!({"message_type": "text", "text": "Hi", "sms": {"num_messages": 2},
                "usage": {"price": 0.0333, "currency": "EUR"}}),
            ),
            paid.1,
        ),
        (
            v1("mms", number, user, json!({"message_type": "image", "image": image["content"]["image"]})),
            [mms[0].clone(), mms[1].clone(), image, json!(null)],
        ),
        (
            v1(
                "whatsapp",
                number,
                user,
                json!({"message_type": "location",
                "location": {"long": -74.18847, "lat": 40.34772, "name": "Here"}}),
            ),
            [whatsapp[0].clone(), whatsapp[1].clone(), place, json!(null)],
        ),
        (
            v1("viber_service", "12345", user, json!({"message_type": "unsupported"})),
            [viber_to, viber_from, unsupported, json!(null)],
        ),
        (
            v1(
                "messenger",
                "1000000000000001",
                "2000000000000002",
                json!({"message_type": "text", "text": "Thanks! Grüße 😀"}),
            ),
            [page, person, text, json!(null)],
        ),
    ]
}

#[tokio::test]
async fn a_message_of_every_channel_is_handed_on_once_in_one_shape() {
    let engine = engine(Some("/in")).await;
    let mut ids = Vec::new();
    for (number, (body, [to, from, message, usage])) in cases().into_iter().enumerate() {
        // However often it comes.
        for _ in 0..2 {
            engine.app.webhook_to(WEBHOOK, body.clone()).await.expect_empty(200);
        }
        let told = told(&engine, "/in", number + 1).await.remove(number);
        let id: Uuid = told["message_uuid"].as_str().unwrap().parse().unwrap();
        assert_eq!(id.get_version_num(), 4);
        assert_ne!(told["message_uuid"], body["message_uuid"], "the id is ours");
        let mut expected = json!({"message_uuid": id, "timestamp": "2024-05-04T10:20:00.000Z", "to": to, "from": from,
            "message": message});
        if !usage.is_null() {
            expected["usage"] = usage;
        }
        assert_eq!(told, expected);
        ids.push(id);
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), cases().len());
    until("all are delivered", || async { states(&engine).await.iter().all(|state| state == "delivered") })
        .await;
    engine.finish().await;
}

#[tokio::test]
async fn it_is_signed_like_all_callbacks_in_the_name_of_the_application_whose_address_it_is() {
    let engine = engine(None).await;
    let (store, account) = (engine.app.store(), engine.app.account());
    assert!(store.set_signature_secret(account, "hush", &By::trunkline()).await.unwrap());
    let parcels = application(&engine, Some("/app")).await;
    application(&engine, None).await;
    engine.app.webhook_to(WEBHOOK, sms("p-1")).await.expect_empty(200);
    told(&engine, "/app", 1).await;
    let claims = |path: &str| {
        let received = engine.endpoint.received();
        let request = received.into_iter().find(|request| request.target == path).unwrap();
        let authorization = request.header("authorization").unwrap().to_owned();
        verify_webhook("hush", &authorization, &request.body).unwrap()
    };
    let signed = claims("/app");
    assert_eq!(signed.api_key.as_deref(), Some("abcd1234"));
    assert_eq!(signed.application_id, Some(parcels.to_string()));

    // The account's own goes before.
    let own = inbound(Some(format!("{}/own", engine.endpoint.url)));
    assert!(store.set_account_callbacks(account, &own, &By::trunkline()).await.unwrap());
    engine.app.webhook_to(WEBHOOK, sms("p-2")).await.expect_empty(200);
    told(&engine, "/own", 1).await;
    assert_eq!(claims("/own").application_id, None);
    told(&engine, "/app", 1).await;
    engine.finish().await;
}

#[tokio::test]
async fn without_an_address_or_with_two_nobody_is_told_and_it_is_kept() {
    let engine = engine(None).await;
    engine.app.webhook_to(WEBHOOK, sms("p-1")).await.expect_empty(200);
    for path in ["/a", "/b"] {
        application(&engine, Some(path)).await;
    }
    engine.app.webhook_to(WEBHOOK, sms("p-2")).await.expect_empty(200);
    assert_eq!(states(&engine).await, ["skipped"; 2]);
    engine.finish().await;
}

#[tokio::test]
async fn it_is_taken_with_the_webhook_secret_or_its_token_and_means_nothing_to_workflows() {
    let engine = engine(Some("/in")).await;
    let definition = engine.app.define(crate::support::enabled("inbound_sms", None)).await;
    let send = async |query: &str, body: Value| {
        let path = format!("/webhooks/v1/accounts/acme/{WEBHOOK}{query}");
        Answer::of(engine.app.request(reqwest::Method::POST, &path).json(&body)).await
    };
    for wrong in ["", "?token=x"] {
        send(wrong, sms("p-1")).await.expect_error(401, 1200);
    }
    assert!(states(&engine).await.is_empty());
    let token = format!("?token={}", url_token(WEBHOOK_SECRET, Headerless::InboundMessage));
    send(&token, sms("p-1")).await.expect_empty(200);
    told(&engine, "/in", 1).await;
    for refused in [json!([]), json!({"message_uuid": "x"}), sms(&"x".repeat(2_000)), sms("x\0")] {
        send(&token, refused).await.expect_error(400, 1000);
    }
    assert_eq!(states(&engine).await.len(), 1);
    assert!(engine.app.instances_of(&definition).await.is_empty());
    engine.finish().await;
}
