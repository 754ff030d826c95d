//! What each example does, from what starts it to its end. Every case has phone numbers of its own.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::tried::{Tried, texts_of};
use crate::dev::Dev;

pub async fn pong(tried: &Tried<'_>) {
    tried.sms("+6591000001", "ping").await;
    tried.sends("+6591000001", &["Pong. You wrote: ping"]).await;
    tried.goes("+6591000001", &["pong"]).await;
}

pub async fn out_of_office(tried: &Tried<'_>) {
    tried.deliver("+6591000002", "hello", "2026-03-02T02:00:00Z").await;
    tried.sends("+6591000002", &["Thank you. A colleague answers within the hour."]).await;
    tried.goes("+6591000002", &["what_time_is_it", "open"]).await;
    tried.deliver("+6591000003", "hello", "2026-03-02T12:00:00Z").await;
    tried.sends("+6591000003", &["Thank you. We are back at 9 in the morning, Singapore time."]).await;
    tried.goes("+6591000003", &["what_time_is_it", "closed"]).await;
}

pub async fn keyword_menu(tried: &Tried<'_>) {
    let menu = "Reply 1 for our opening hours, 2 for the way to us.";
    tried.sms("+6591000004", "hi").await;
    tried.sends("+6591000004", &[menu]).await;
    tried.listens("+6591000004").await;
    tried.sms("+6591000004", " 1 ").await;
    tried.sends("+6591000004", &[menu, "We are open from 9:00 to 18:00."]).await;
    tried.goes("+6591000004", &["menu", "choice", "hours"]).await;

    tried.sms("+6591000005", "hi").await;
    tried.sends("+6591000005", &[menu]).await;
    tried.listens("+6591000005").await;
    tried.sms("+6591000005", "what?").await;
    tried.sends("+6591000005", &[menu, menu]).await;
    tried.listens("+6591000005").await;
    tried.sms("+6591000005", "2").await;
    tried.sends("+6591000005", &[menu, menu, "Harbour Street 12, behind the market."]).await;
    tried.goes("+6591000005", &["menu", "choice", "menu", "choice", "way"]).await;

    tried.hurry().await;
    tried.sms("+6591000006", "hi").await;
    tried.sends("+6591000006", &[menu, "Write again whenever you like."]).await;
    tried.goes("+6591000006", &["menu", "choice Cancelled", "silence"]).await;
}

pub async fn country_routing(tried: &Tried<'_>) {
    for (from, team, way) in [
        ("+6591000007", "team in Singapore", &["by_country", "crm_singapore", "singapore"][..]),
        ("+84912000007", "team in Hanoi", &["by_country", "crm_hanoi", "hanoi"]),
        ("+4915112000007", "international team", &["by_country", "elsewhere"]),
    ] {
        tried.chat(from, "hi").await;
        tried.sends(from, &[&format!("Our {team} takes care of you.")]).await;
        tried.goes(from, way).await;
    }
    let case = &tried.asks("/crm-singapore/cases", "+6591000007", 1).await[0];
    assert_eq!((&case["method"], &case["body"]["text"]), (&json!("POST"), &json!("hi")));
    let contact = &tried.asks("/crm-hanoi/contacts", "+84912000007", 1).await[0];
    assert_eq!(contact["body"], json!({"phone": "+84912000007", "message": "hi"}));
    for service in ["/crm-singapore/cases", "/crm-hanoi/contacts"] {
        tried.asks(service, "+4915112000007", 0).await;
    }
}

pub async fn order_intake(tried: &Tried<'_>) {
    tried.sms("+6591000008", "I Order two lamps").await;
    let requests = tried.asks("/orders/down", "+6591000008", 2).await;
    assert_eq!((&requests[0]["status"], &requests[1]["status"]), (&json!(503), &json!(200)));
    assert_eq!(requests[0]["headers"]["idempotency-key"], requests[1]["headers"]["idempotency-key"]);
    assert_eq!(requests[0]["body"], json!({"customer": "+6591000008", "text": "I Order two lamps"}));
    let text = format!("Thank you. Your order has the number {}.", requests[1]["id"]);
    tried.sends("+6591000008", &[&text]).await;
    tried.goes("+6591000008", &["is_order", "order", "ordered"]).await;

    tried.sms("+6591000009", "hello").await;
    tried.goes("+6591000009", &["is_order"]).await;
    tried.asks("/orders/down", "+6591000009", 0).await;
    tried.sends("+6591000009", &[]).await;
}

pub async fn fallback_to_sms(tried: &Tried<'_>) {
    let text = "Your parcel is here.";
    for (phone, state, texts, way) in [
        ("+6591000010", "delivered", &[text][..], &["chat", "receipt"][..]),
        ("+6591000011", "undelivered", &[text, text], &["chat", "receipt", "sms"]),
    ] {
        tried.raise_http_event(json!({"phone": phone, "text": text})).await;
        tried.report(phone, "sent").await;
        tried.report(phone, state).await;
        let outbox = tried.sends(phone, texts).await;
        let channels = outbox.as_array().unwrap().iter().map(|message| message["channel"].as_str().unwrap());
        assert_eq!(channels.rev().collect::<Vec<_>>(), &["whatsapp", "sms"][..texts.len()]);
        tried.goes(phone, way).await;
    }
    tried.hurry().await;
    tried.raise_http_event(json!({"phone": "+6591000012", "text": text})).await;
    tried.sends("+6591000012", &[text, text]).await;
    tried.goes("+6591000012", &["chat", "receipt Cancelled", "sms"]).await;
    // The SMS does not come through either: that is all, nothing goes round in a circle.
    tried.report("+6591000012", "undelivered").await;
    tried.sends("+6591000012", &[text, text]).await;
}

pub async fn urgent_notice(tried: &Tried<'_>) {
    let text = "The water is off tonight.";
    for (user, phone, service, channel, way) in [
        ("2000000000310202", "6591030201", "/notices", json!("messenger"), ["notify", "reached"]),
        ("2000000000320203", "6591040201", "/notices", json!("sms"), ["notify", "reached"]),
        ("2000000000330204", "6591050203", "/tickets", json!(null), ["notify", "unreached"]),
    ] {
        tried.raise_http_event(json!({"user": user, "phone": phone, "text": text})).await;
        let request = &tried.asks(service, phone, 1).await[0];
        assert_eq!(request["body"]["channel"], channel);
        tried.goes(phone, &way).await;
        tried.sends(user, &[text]).await;
        tried.sends(phone, &[text][..usize::from(channel != "messenger")]).await;
    }
}

pub async fn undelivered_to_api(tried: &Tried<'_>) {
    let path = format!("/sandbox/8x8/sms/api/v1/subaccounts/{}/messages", tried.subaccount());
    for (phone, state, way) in [
        ("+6591000013", "delivered", &["is_lost"][..]),
        ("+6591000014", "undelivered", &["is_lost", "other_api"]),
    ] {
        let message = json!({"destination": phone, "text": "Your parcel is here."});
        assert_eq!(tried.dev.client().call("POST", &path, Some(&message)).await.0, 200);
        tried.report(phone, state).await;
        tried.goes(phone, way).await;
    }
    let letter = &tried.asks("/letters", "+6591000014", 1).await[0];
    assert_eq!(
        (&letter["body"]["state"], &letter["body"]["umid"].is_string()),
        (&json!("undelivered"), &true)
    );
    tried.asks("/letters", "+6591000013", 0).await;
}

pub async fn customer_care(tried: &Tried<'_>) {
    let menu = "Reply 1 for your order, 2 to talk to us.";
    // Half past nine in Singapore, half past two at night in Berlin; four in the afternoon there, and so on.
    let (morning, evening) = ("2026-03-02T01:30:00Z", "2026-03-02T15:00:00Z");
    tried.deliver("+6591000015", "hello", morning).await;
    tried.sends("+6591000015", &[menu]).await;
    tried.listens("+6591000015").await;
    tried.chat("+6591000015", "what?").await;
    tried.sends("+6591000015", &[menu, menu]).await;
    tried.listens("+6591000015").await;
    tried.chat("+6591000015", "1").await;
    tried.sends("+6591000015", &[menu, menu, "Your order arrives tomorrow."]).await;
    let way = ["keyword", "office", "singapore", "menu", "choice", "menu", "choice", "order"];
    tried.goes("+6591000015", &way).await;

    let closed = "We are here from 9:00 to 18:00. Write URGENT if it cannot wait.";
    tried.deliver("+4915112000016", "hello", morning).await;
    tried.sends("+4915112000016", &[closed]).await;
    tried.goes("+4915112000016", &["keyword", "office", "berlin", "closed"]).await;
    tried.deliver("+6591000017", "hello", evening).await;
    tried.sends("+6591000017", &[closed]).await;
    tried.goes("+6591000017", &["keyword", "office", "singapore", "closed"]).await;

    let told = |ticket: &Value| format!("A colleague takes over. Your ticket is T-{}.", ticket["id"]);
    tried.deliver("+6591000018", "This is Urgent", evening).await;
    let ticket = &tried.asks("/tickets", "+6591000018", 1).await[0];
    tried.sends("+6591000018", &[&told(ticket)]).await;
    let instance = tried.goes("+6591000018", &["keyword", "people", "handed_over"]).await;
    assert_eq!(
        (&ticket["body"]["accountId"], &ticket["body"]["subAccountId"]),
        (&json!("dev"), &json!("dev_care"))
    );
    assert_eq!(ticket["body"]["workflowId"], instance["workflowId"]);
    assert_eq!(ticket["body"]["payload"]["content"]["text"], "This is Urgent");

    let way = ["keyword", "office", "berlin", "menu"];
    tried.deliver("+4915112000019", "hello", evening).await;
    tried.sends("+4915112000019", &[menu]).await;
    tried.listens("+4915112000019").await;
    tried.chat("+4915112000019", "2").await;
    let ticket = &tried.asks("/tickets", "+4915112000019", 1).await[0];
    tried.sends("+4915112000019", &[menu, &told(ticket)]).await;
    tried.goes("+4915112000019", &[&way[..], &["choice", "people", "handed_over"]].concat()).await;

    tried.hurry().await;
    tried.deliver("+4915112000020", "hello", evening).await;
    let ticket = &tried.asks("/tickets", "+4915112000020", 1).await[0];
    tried.sends("+4915112000020", &[menu, &told(ticket)]).await;
    tried.goes("+4915112000020", &[&way[..], &["choice Cancelled", "people", "handed_over"]].concat()).await;
}

pub async fn voice_confirmation(tried: &Tried<'_>) {
    let (kept, missed) = (
        "We did not understand you. Your table at 8 is kept.",
        "We could not reach you about your table at 8.",
    );
    // The keys of each try.
    for (phone, keys, text, last) in [
        ("+6591000021", &[Some("1")][..], "Confirmed: your table at 8.", "confirmed"),
        ("+6591000022", &[None, Some("2")], "Cancelled: your table at 8.", "cancelled"),
        ("+6591000023", &[Some("7")], kept, "unclear"),
        ("+6591000024", &[None, None], kept, "unclear"),
    ] {
        tried.raise_http_event(json!({"phone": phone, "time": "8"})).await;
        let call = call_to(tried.dev, phone).await;
        assert_eq!(call["text"], "Your table is reserved for 8. Press 1 to confirm, 2 to cancel.");
        for digits in keys {
            step_call(tried.dev, &call, "dtmf", json!({"digits": digits})).await;
        }
        tried.sends(phone, &[text]).await;
        let instance = tried.goes(phone, &["call", "key", last]).await;
        assert_eq!(instance["data"]["key"], json!(keys.last().unwrap()));
    }
    tried.hurry().await;
    tried.raise_http_event(json!({"phone": "+6591000025", "time": "8"})).await;
    let call = call_to(tried.dev, "+6591000025").await;
    step_call(tried.dev, &call, "no-answer", json!({})).await;
    tried.sends("+6591000025", &[missed]).await;
    tried.goes("+6591000025", &["call", "key Cancelled", "missed"]).await;
}

/// Waits until it rings.
async fn call_to(dev: &Dev, phone: &str) -> Value {
    let to_phone = |calls: &Value| {
        let mut calls = calls.as_array().unwrap().iter();
        calls.find(|call| call["destination"] == phone).cloned()
    };
    let calls = dev.client().get_until("/sandbox/calls", "a call", |calls| to_phone(calls).is_some()).await;
    to_phone(&calls).unwrap()
}

async fn step_call(dev: &Dev, call: &Value, step: &str, body: Value) {
    let path = format!("/sandbox/calls/{}/{step}", call["uid"].as_str().unwrap());
    let (status, answer) = dev.client().call("POST", &path, Some(&body)).await;
    assert_eq!(status, 200, "{answer}");
    for webhook in answer["webhooks"].as_array().unwrap() {
        assert_eq!(webhook["status"], 200, "{answer}");
    }
}

pub async fn appointment_reminder(tried: &Tried<'_>) {
    let (booked, reminder) =
        ("Booked: Friday at 10.", "Your appointment: Friday at 10. Will you come? Reply YES or NO.");
    let begins = |phone: &str| json!({"phone": phone, "appointment": "Friday at 10", "remindIn": "00:00:01"});
    tried.raise_http_event(begins("+6591000026")).await;
    let begun = Instant::now();
    tried.sends("+6591000026", &[booked]).await;
    tried.sends("+6591000026", &[booked, reminder]).await;
    assert!(begun.elapsed() > Duration::from_millis(900), "{:?}", begun.elapsed());
    tried.listens("+6591000026").await;
    tried.sms("+6591000026", "Yes ").await;
    tried.sends("+6591000026", &[booked, reminder, "See you then."]).await;
    tried.goes("+6591000026", &["booked", "wait", "remind", "answer", "coming"]).await;

    tried.raise_http_event(begins("+6591000027")).await;
    tried.sends("+6591000027", &[booked, reminder]).await;
    tried.listens("+6591000027").await;
    tried.sms("+6591000027", "no").await;
    tried.goes("+6591000027", &["booked", "wait", "remind", "answer", "tell_office"]).await;
    let told = &tried.asks("/appointments/open", "+6591000027", 1).await[0];
    assert_eq!(told["body"]["answer"], "no");

    tried.hurry().await;
    tried.raise_http_event(begins("+6591000028")).await;
    tried.goes("+6591000028", &["booked", "wait", "remind", "answer Cancelled", "tell_office"]).await;
    let told = &tried.asks("/appointments/open", "+6591000028", 1).await[0];
    assert_eq!(
        told["body"],
        json!({"customer": "+6591000028", "appointment": "Friday at 10", "answer": null})
    );
}

pub async fn weekly_report(tried: &Tried<'_>) {
    tried.hurry().await;
    let is_report = |request: &Value| request["path"] == "/reports";
    let is_made = |list: &Value| list.as_array().unwrap().iter().any(is_report);
    let list = tried.dev.client().get_until("/sandbox/service", "a report is made", is_made).await;
    let report = list.as_array().unwrap().iter().find(|request| is_report(request)).unwrap();
    let text = format!("The report of the week has the number {}.", report["id"]);
    let has_text = |outbox: &Value| texts_of(outbox).contains(&text.as_str());
    tried.dev.client().get_until("/sandbox/outbox?destination=6590009999", &text, has_text).await;
    let due = report["body"]["until"].as_str().unwrap();
    let instance = tried.goes(due, &["report", "tell"]).await;
    assert_eq!(instance["data"]["schedule"]["timeZone"], "Singapore Standard Time");
    assert_eq!(instance["data"]["subAccountId"], "dev_reports");
    // It need not be Monday every second any more.
    tried.save(tried.example).await;
}

pub async fn service_check(tried: &Tried<'_>) {
    for (phone, url, text, last) in [
        ("+6591000029", "/sandbox/service/shop", "All is well: URL answers 200.", "well"),
        ("+6591000030", "/sandbox/service/shop/down", "Trouble: URL answers 503.", "ill"),
    ] {
        let url = format!("{}{url}", tried.dev.url);
        tried.raise_http_event(json!({"url": url, "phone": phone})).await;
        tried.sends(phone, &[&text.replace("URL", &url)]).await;
        tried.goes(phone, &["ask", "judge", last]).await;
    }
}
