//! A response, read whole, and what every test says about it.

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;
use uuid::Uuid;

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Self { status, headers, text: response.text().await.unwrap() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json; charset=utf-8"), "{self:?}");
        serde_json::from_str(&self.text).unwrap()
    }

    /// The JSON body of an answer with this status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        self.expect_status(status);
        self.json()
    }

    #[track_caller]
    pub fn expect_status(&self, status: u16) {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
    }

    /// An answer with this status and nothing in it.
    #[track_caller]
    pub fn expect_empty(&self, status: u16) {
        self.expect_status(status);
        assert_eq!(self.text, "");
    }

    /// An error with this status and code, in the form of all errors (C-004). Gives its message.
    #[track_caller]
    pub fn expect_error(&self, status: u16, code: i64) -> String {
        let body = self.expect(status);
        let members: Vec<&String> = body.as_object().unwrap().keys().collect();
        assert_eq!(members, ["code", "message", "errorId", "timestamp"], "{self:?}");
        assert_eq!(body["code"], code, "{self:?}");
        assert!(Uuid::try_parse(body["errorId"].as_str().unwrap()).is_ok());
        assert!(is_timestamp(&body["timestamp"]), "{self:?}");
        body["message"].as_str().unwrap().to_owned()
    }
}

/// `2026-02-03T04:05:06.78Z`
pub fn is_timestamp(value: &Value) -> bool {
    let shape = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "0");
    value.as_str().is_some_and(|text| shape(text) == "0000-00-00T00:00:00.00Z")
}
