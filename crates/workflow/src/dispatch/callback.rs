//! What clients are told: the status of a message, and the end of a workflow (Dispatch 9.2–9.4).

use chrono::{DateTime, SecondsFormat, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::channel::Channel;
use super::status::Status;

/// The only one in any schema (U31).
const CURRENCY: &str = "EUR";

/// By the address that the workflow was made at; it decides about names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flavour {
    /// `/v0.1/dispatch`
    Dispatch,
    /// `/beta/workflows`
    Legacy,
}

/// The workflow that a message belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    pub id: Uuid,
    pub flavour: Flavour,
}

/// Why a message did not get through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Of Dispatch 13.
    pub code: i64,
    pub reason: String,
}

/// What something cost, in euros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    pub price: Decimal,
}

/// A message reached a status.
#[derive(Debug, Clone)]
pub struct StatusChange<'a> {
    pub message: Uuid,
    /// As the client wrote it.
    pub to: &'a Value,
    /// As the client wrote it.
    pub from: &'a Value,
    pub at: DateTime<Utc>,
    pub status: Status,
    pub refusal: Option<Refusal>,
    pub usage: Option<Usage>,
    /// The client's own.
    pub client_ref: Option<&'a str>,
    /// `None`: the message was sent by itself.
    pub link: Option<Link>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Completed,
    Error,
}

/// A workflow ended.
#[derive(Debug, Clone)]
pub struct Report {
    pub link: Link,
    pub outcome: Outcome,
    pub at: DateTime<Utc>,
    /// For the workflow itself.
    pub fee: Decimal,
    /// Those that were started, in order.
    pub messages: Vec<ReportedMessage>,
}

#[derive(Debug, Clone)]
pub struct ReportedMessage {
    pub id: Uuid,
    pub channel: Channel,
    /// The last one that is known; `None`: the provider never said whether it took the message.
    pub status: Option<Status>,
    pub usage: Option<Usage>,
}

impl Usage {
    fn to_json(self) -> Value {
        json!({"price": self.price.to_string(), "currency": CURRENCY})
    }
}

impl Link {
    /// `_links` of a status.
    fn links(self) -> Value {
        let id = self.id;
        match self.flavour {
            // Traffic says `dispatch`, the published schema `workflow` (U29).
            Flavour::Dispatch => json!({
                "dispatch": {"href": format!("v0.1/dispatch/{id}"), "dispatch_uuid": id},
                "workflow": {"href": format!("/workflows/{id}"), "dispatch_uuid": id},
            }),
            Flavour::Legacy => {
                json!({"workflow": {"href": format!("/workflows/{id}"), "workflow_uuid": id}})
            }
        }
    }

    fn href_of(self, message: Uuid) -> String {
        match self.flavour {
            Flavour::Dispatch => format!("v0.1/messages/{message}"),
            Flavour::Legacy => format!("/messages/{message}"),
        }
    }
}

impl StatusChange<'_> {
    /// The body, the same for every attempt to deliver it.
    pub fn body(&self) -> String {
        let mut body = Map::new();
        let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
        put("message_uuid", json!(self.message));
        put("to", self.to.clone());
        put("from", self.from.clone());
        put("timestamp", timestamp(self.at));
        put("status", json!(self.status));
        if let Some(Refusal { code, reason }) = &self.refusal {
            put("error", json!({"code": code, "reason": reason}));
        }
        if let Some(usage) = self.usage {
            put("usage", usage.to_json());
        }
        if let Some(client_ref) = self.client_ref {
            put("client_ref", json!(client_ref));
        }
        if let Some(link) = self.link {
            put("_links", link.links());
        }
        Value::Object(body).to_string()
    }
}

impl Report {
    /// The body, the same for every attempt to deliver it.
    pub fn body(&self) -> String {
        let paid = self.messages.iter().filter_map(|message| message.usage).map(|usage| usage.price);
        let total = Usage { price: paid.fold(self.fee, Decimal::saturating_add) };
        let messages: Vec<Value> = self.messages.iter().map(|message| self.message(message)).collect();
        let mut body = json!({
            "template": "failover",
            "status": self.outcome,
            "timestamp": timestamp(self.at),
            "usage": total.to_json(),
            "dispatch_uuid": self.link.id,
        });
        if self.link.flavour == Flavour::Legacy {
            body["workflow_uuid"] = json!(self.link.id);
        }
        body["_links"] = json!({ "messages": messages });
        body.to_string()
    }

    fn message(&self, message: &ReportedMessage) -> Value {
        let mut shown = json!({
            "message_uuid": message.id,
            "href": self.link.href_of(message.id),
            "channel": message.channel,
        });
        if let Some(usage) = message.usage {
            shown["usage"] = usage.to_json();
        }
        if let Some(status) = message.status {
            shown["status"] = json!(status);
        }
        shown
    }
}

/// UTC with milliseconds.
fn timestamp(at: DateTime<Utc>) -> Value {
    at.to_rfc3339_opts(SecondsFormat::Millis, true).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DISPATCH: Uuid = Uuid::from_u128(0x6c1d_0a1e_2f5a_4b0e_8f0b_5d8f_6f2f_9b10);
    const FIRST: Uuid = Uuid::from_u128(0xf2a4_c6e8_1b3d_4f50_8a72_94b6_d8f0_a1c2);
    const SECOND: Uuid = Uuid::from_u128(0x0b9e_1d7c_8c1b_4a53_9c39_3f6f_7d2b_5e01);

    fn at() -> DateTime<Utc> {
        "2024-05-04T10:11:12.345678Z".parse().unwrap()
    }

    fn price(text: &str) -> Usage {
        Usage { price: text.parse().unwrap() }
    }

    fn parsed(body: &str) -> Value {
        serde_json::from_str(body).unwrap()
    }

    #[test]
    fn n_068_n_069_a_status_names_message_parties_time_and_workflow() {
        let (to, from) = (json!({"type": "sms", "number": "447700900000", "x": 1}), json!({"type": "sms"}));
        let mut change = StatusChange {
            message: SECOND,
            to: &to,
            from: &from,
            at: at(),
            status: Status::Delivered,
            refusal: None,
            usage: Some(price("0.0333")),
            client_ref: Some("order-8812"),
            link: Some(Link { id: DISPATCH, flavour: Flavour::Dispatch }),
        };
        assert_eq!(
            parsed(&change.body()),
            json!({
                "message_uuid": "0b9e1d7c-8c1b-4a53-9c39-3f6f7d2b5e01",
                "to": to, "from": from,
                "timestamp": "2024-05-04T10:11:12.345Z",
                "status": "delivered",
                "usage": {"price": "0.0333", "currency": "EUR"},
                "client_ref": "order-8812",
                "_links": {
                    "dispatch": {
                        "href": "v0.1/dispatch/6c1d0a1e-2f5a-4b0e-8f0b-5d8f6f2f9b10",
                        "dispatch_uuid": "6c1d0a1e-2f5a-4b0e-8f0b-5d8f6f2f9b10",
                    },
                    "workflow": {
                        "href": "/workflows/6c1d0a1e-2f5a-4b0e-8f0b-5d8f6f2f9b10",
                        "dispatch_uuid": "6c1d0a1e-2f5a-4b0e-8f0b-5d8f6f2f9b10",
                    },
                },
            })
        );
        change.status = Status::Rejected;
        change.refusal = Some(Refusal { code: 1120, reason: "Illegal sender".to_owned() });
        (change.usage, change.client_ref, change.link) = (None, None, None);
        assert_eq!(
            parsed(&change.body()),
            json!({
                "message_uuid": SECOND, "to": to, "from": from, "timestamp": "2024-05-04T10:11:12.345Z",
                "status": "rejected", "error": {"code": 1120, "reason": "Illegal sender"},
            })
        );
    }

    #[test]
    fn n_070_the_first_era_has_its_own_names() {
        let link = Link { id: DISPATCH, flavour: Flavour::Legacy };
        let expected = format!("/workflows/{DISPATCH}");
        assert_eq!(link.links(), json!({"workflow": {"href": expected, "workflow_uuid": DISPATCH}}));
        let report = Report {
            link,
            outcome: Outcome::Error,
            at: at(),
            fee: Decimal::ZERO,
            messages: vec![ReportedMessage { id: FIRST, channel: Channel::Sms, status: None, usage: None }],
        };
        let body = parsed(&report.body());
        assert_eq!((&body["workflow_uuid"], &body["dispatch_uuid"]), (&json!(DISPATCH), &json!(DISPATCH)));
        assert_eq!(body["usage"], json!({"price": "0", "currency": "EUR"}));
        assert_eq!(
            body["_links"]["messages"],
            json!([{"message_uuid": FIRST, "href": format!("/messages/{FIRST}"), "channel": "sms"}])
        );
    }

    #[test]
    fn n_071_n_073_a_report_adds_up_what_its_messages_cost_in_decimals() {
        let message =
            |id, channel, status, usage| ReportedMessage { id, channel, status: Some(status), usage };
        let report = Report {
            link: Link { id: DISPATCH, flavour: Flavour::Dispatch },
            outcome: Outcome::Completed,
            at: at(),
            fee: "0.002".parse().unwrap(),
            messages: vec![
                message(FIRST, Channel::Messenger, Status::Submitted, None),
                message(SECOND, Channel::Sms, Status::Delivered, Some(price("0.0333"))),
            ],
        };
        assert_eq!(
            parsed(&report.body()),
            json!({
                "template": "failover",
                "status": "completed",
                "timestamp": "2024-05-04T10:11:12.345Z",
                "usage": {"price": "0.0353", "currency": "EUR"},
                "dispatch_uuid": DISPATCH,
                "_links": {"messages": [
                    {"message_uuid": FIRST, "href": format!("v0.1/messages/{FIRST}"),
                        "channel": "messenger", "status": "submitted"},
                    {"message_uuid": SECOND, "href": format!("v0.1/messages/{SECOND}"),
                        "channel": "sms", "usage": {"price": "0.0333", "currency": "EUR"}, "status": "delivered"},
                ]},
            })
        );
        let tenth = vec![message(FIRST, Channel::Sms, Status::Delivered, Some(price("0.1"))); 3];
        let body = parsed(&Report { messages: tenth, fee: Decimal::ZERO, ..report }.body());
        assert_eq!(body["usage"]["price"], "0.3");
    }
}
