//! What is done with an example, and what is waited for.

use serde_json::{Value, json};
use trunkline_connectors::outbound::{AddressPolicy, OutboundClient, OutboundRequest};

use crate::dev::Dev;
use crate::program::LIMIT;

/// An example that is saved and enabled.
pub struct Tried<'a> {
    pub dev: &'a Dev,
    pub name: &'a str,
    pub example: &'a Value,
}

impl Tried<'_> {
    pub fn subaccount(&self) -> &str {
        self.example["subAccountId"].as_str().unwrap()
    }

    pub async fn sms(&self, from: &str, text: &str) {
        let message = json!({"from": from, "text": text, "subAccountId": self.subaccount()});
        self.dev.write_in("/sandbox/sms", message).await;
    }

    pub async fn chat(&self, from: &str, text: &str) {
        let message = json!({"from": from, "text": text, "subAccountId": self.subaccount()});
        self.dev.write_in("/sandbox/chat", message).await;
    }

    pub async fn raise_http_event(&self, body: Value) {
        let path = format!("/api/v1/accounts/dev/triggers/http_request?subAccountId={}", self.subaccount());
        let (status, answer) = self.dev.client().call("POST", &path, Some(&body)).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// A message as the platform delivers it, of any hour of the day.
    pub async fn deliver(&self, from: &str, text: &str, timestamp: &str) {
        let message = match self.example["trigger"].as_str().unwrap() {
            "inbound_sms" => {
                json!({"source": from, "destination": "+6580002222", "body": text, "encoding": "GSM7", "smsCount": 1})
            }
            _ => json!({"user": {"msisdn": from, "channelUserId": from.trim_start_matches('+')},
                "recipient": {"channel": "whatsapp", "channelId": "5512"}, "type": "Text", "content": {"text": text}}),
        };
        let namespace = if message["source"].is_string() { "SMS" } else { "ChatApps" };
        let mut event =
            json!({"namespace": namespace, "eventType": "inbound_message_received", "payload": message});
        event["payload"]["umid"] =
            format!("00000000-0000-4000-8000-{:0>12}", from.trim_start_matches('+')).into();
        event["payload"]["subAccountId"] = self.subaccount().into();
        event["payload"]["timestamp"] = timestamp.into();
        let request = OutboundRequest {
            method: "POST".to_owned(),
            url: format!("{}/webhooks/v1/accounts/dev/messages", self.dev.url),
            headers: vec![
                ("Content-Type".to_owned(), "application/json".to_owned()),
                ("Authorization".to_owned(), self.dev.process.after("Authorization: ")),
            ],
            body: Some(event.to_string().into_bytes()),
            timeout: LIMIT,
            follow_redirects: false,
        };
        let http = OutboundClient::new(AddressPolicy { allow_private: true, allowed: Vec::new() });
        assert_eq!(http.send(request).await.unwrap().status, 200);
    }

    /// Waits until this number was sent these texts and no others, in this order.
    pub async fn sends(&self, number: &str, texts: &[&str]) -> Value {
        let path = format!("/sandbox/outbox?destination={}", number.trim_start_matches('+'));
        let what = format!("{}: {texts:?} to {number}", self.name);
        self.dev.client().get_until(&path, &what, |outbox| texts_of(outbox) == texts).await
    }

    /// What became of the newest message to this number.
    pub async fn report(&self, number: &str, state: &str) {
        let path = format!("/sandbox/outbox?destination={}", number.trim_start_matches('+'));
        let is_sent = |outbox: &Value| !outbox[0].is_null();
        let outbox = self.dev.client().get_until(&path, "a message is sent", is_sent).await;
        let path = format!("/sandbox/outbox/{}/status", outbox[0]["umid"].as_str().unwrap());
        self.dev.write_in(&path, json!({"state": state})).await;
    }

    /// Waits until the instance that has to do with this number is as `pleases` says.
    async fn instance(&self, number: &str, what: &str, pleases: impl Fn(&Value) -> bool) -> Value {
        let what = format!("{}: {what}, for {number}", self.name);
        let path =
            format!("/api/v1/accounts/dev/definitions/{}/workflows", self.dev.definition(self.name).await);
        let of_number = |list: &Value| {
            let mut instances = list.as_array().unwrap().iter();
            instances.find(|instance| instance["data"].to_string().contains(number)).cloned()
        };
        let list = self.dev.client().get_until(&path, &what, |list| of_number(list).is_some()).await;
        let id = of_number(&list).unwrap()["workflowId"].as_str().unwrap().to_owned();
        self.dev.client().get_until(&format!("{path}/{id}?includeLogs=true"), &what, pleases).await
    }

    /// Waits until it listens: a message that is faster than that starts another instance.
    pub async fn listens(&self, number: &str) {
        let listens = |instance: &Value| {
            instance["logs"]
                .as_array()
                .unwrap()
                .last()
                .is_some_and(|entry| entry["status"] == "WaitingForEvent")
        };
        self.instance(number, "it listens", listens).await;
    }

    /// Waits until it ended, and by this way.
    pub async fn goes(&self, number: &str, way: &[&str]) -> Value {
        let instance = self.instance(number, "it ends", |instance| instance["status"] != "Runnable").await;
        let step =
            |entry: &Value| match (entry["stepName"].as_str().unwrap(), entry["status"].as_str().unwrap()) {
                (name, "Complete") => name.to_owned(),
                (name, status) => format!("{name} {status}"),
            };
        let steps: Vec<String> = instance["logs"].as_array().unwrap().iter().map(step).collect();
        let status = instance["status"].as_str().unwrap();
        assert_eq!((status, steps.join(", ")), ("Complete", way.join(", ")), "{}, {number}", self.name);
        instance
    }

    /// The requests to this service that have to do with this number, oldest first; waits for so many.
    pub async fn asks(&self, service: &str, number: &str, count: usize) -> Vec<Value> {
        let asked = |list: &Value| -> Vec<Value> {
            let requests = list.as_array().unwrap().iter().rev();
            let concerns =
                |request: &&Value| request["path"] == service && request["body"].to_string().contains(number);
            requests.filter(concerns).cloned().collect()
        };
        let what = format!("{}: {count} requests to {service}", self.name);
        let list =
            self.dev.client().get_until("/sandbox/service", &what, |list| asked(list).len() == count).await;
        asked(&list)
    }

    /// A version whose steps wait for a second only, and that is started every second if the clock starts it.
    pub async fn hurry(&self) {
        let mut hurried = self.example.clone();
        hurried["definition"]["steps"].as_array_mut().unwrap().iter_mut().for_each(|step| {
            if step["inputs"]["timeout"].is_string() {
                step["inputs"]["timeout"] = "00:00:01".into();
            }
        });
        if hurried["schedule"].is_object() {
            hurried["schedule"]["cron"] = "* * * * * *".into();
        }
        self.save(&hurried).await;
    }

    pub async fn save(&self, version: &Value) {
        let version = version.to_string().replace("http://127.0.0.1:8080", &self.dev.url);
        let version = serde_json::from_str(&version).unwrap();
        let path = format!("/api/v1/accounts/dev/definitions/{}", self.dev.definition(self.name).await);
        let (status, answer) = self.dev.client().call("PUT", &path, Some(&version)).await;
        assert_eq!(status, 200, "{answer}");
    }
}

/// Oldest first.
pub fn texts_of(outbox: &Value) -> Vec<&str> {
    let newest_first = outbox.as_array().unwrap().iter();
    newest_first.rev().map(|message| message["body"].as_str().unwrap_or_default()).collect()
}
