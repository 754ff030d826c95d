//! What the platform checks about an SMS (spec 8.2, codes of 2.17.2).

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};
use trunkline_connectors::eight_by_eight::wire::read_timestamp;

use super::outbox::Product;
use super::refusal::Invalid;
use super::request_body::{is_phone_number, is_timestamp, is_url, text};
use super::submission::Submission;

pub(super) fn check_sms(request: &Map<String, Value>, now: DateTime<Utc>) -> Result<Submission, Invalid> {
    let country = text(request, "country")?;
    if country.is_some_and(|country| country.len() != 2) {
        return Err(Invalid::new(1009, "Invalid country code."));
    }
    let destination = text(request, "destination")?
        .filter(|number| is_phone_number(number, country.is_some()))
        .ok_or_else(|| Invalid::new(1002, "Invalid MSISDN format (not E.164 international number)"))?;
    let body = text(request, "text")?
        .filter(|text| !text.is_empty())
        .ok_or_else(|| Invalid::new(1004, "Invalid text."))?;
    if text(request, "source")?.is_some_and(|source| source.chars().count() > 16) {
        return Err(Invalid::new(1005, "Invalid source."));
    }
    let encodings = ["AUTO", "GSM7", "UCS2"];
    if text(request, "encoding")?.is_some_and(|encoding| !encodings.contains(&encoding)) {
        return Err(Invalid::new(1003, "Invalid encoding."));
    }
    if let Some(scheduled) = text(request, "scheduled")? {
        let latest = now + TimeDelta::days(7);
        if read_timestamp(scheduled).is_none_or(|scheduled| scheduled > latest) {
            return Err(Invalid::new(1011, "Invalid scheduled."));
        }
    }
    if text(request, "expiry")?.is_some_and(|expiry| !is_timestamp(expiry)) {
        return Err(Invalid::new(1006, "Invalid expiry."));
    }
    if text(request, "dlrCallbackUrl")?.is_some_and(|url| !is_url(url)) {
        return Err(Invalid::new(1000, "Invalid dlrCallbackUrl."));
    }
    let client_message_id = text(request, "clientMessageId")?;
    if client_message_id.is_some_and(|id| id.chars().count() > 350) {
        return Err(Invalid::new(1000, "Invalid clientMessageId."));
    }
    Ok(Submission {
        product: Product::Sms,
        channel: "sms".to_owned(),
        destination: destination.to_owned(),
        body: Some(body.to_owned()),
        content: json!({"text": body}),
        client_message_id: client_message_id.map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::{Value, json};

    use super::check_sms;

    #[test]
    fn each_mistake_has_the_code_of_the_platform() {
        let now = DateTime::UNIX_EPOCH;
        for (member, value, code) in [
            ("destination", json!(null), 1002),
            ("destination", json!(""), 1002),
            ("destination", json!("12"), 1002),
            ("destination", json!(6_590_001_111_u64), 1000),
            ("text", json!(null), 1004),
            ("text", json!(""), 1004),
            ("text", json!({}), 1000),
            ("source", json!("seventeen letters"), 1005),
            ("encoding", json!("Auto"), 1003),
            ("country", json!("SGP"), 1009),
            ("scheduled", json!("soon"), 1011),
            ("scheduled", json!("1970-01-08T00:00:01Z"), 1011),
            ("expiry", json!("soon"), 1006),
            ("dlrCallbackUrl", json!("nowhere"), 1000),
            ("clientMessageId", json!("x".repeat(351)), 1000),
        ] {
            let mut request = json!({"destination": "+6590001111", "text": "x"});
            request[member] = value;
            let refused = check_sms(request.as_object().unwrap(), now).unwrap_err();
            assert_eq!(refused.code, code, "{request}");
        }
    }

    #[test]
    fn a_message_in_order_is_accepted() {
        let request: Value = json!({"destination": "090001111", "country": "SG", "text": "x", "source": "ACME",
            "encoding": "AUTO", "scheduled": "1970-01-08T00:00:00Z", "expiry": "1970-01-09T00:00:00Z",
            "dlrCallbackUrl": "https://a.example/", "clientMessageId": "m-1", "track": "None", "more": 1});
        let submission = check_sms(request.as_object().unwrap(), DateTime::UNIX_EPOCH).unwrap();
        assert_eq!(submission.client_message_id.as_deref(), Some("m-1"));
    }
}
