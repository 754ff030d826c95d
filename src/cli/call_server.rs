//! Calls of a running server, as any client makes them.

use std::time::Duration;

use serde_json::Value;
use trunkline_connectors::outbound::{
    AddressPolicy, OutboundClient, OutboundRequest, OutboundResponse, call_failed,
};

use super::error::CliError;

/// Longer than the server looks for the instances of a batch.
const TIMEOUT: Duration = Duration::from_secs(40);

/// A server and who we are to it.
pub(super) struct Server {
    http: OutboundClient,
    url: String,
    key: Option<String>,
}

impl Server {
    /// `url` is its root: `http://127.0.0.1:8080`.
    pub(super) fn new(url: &str, key: Option<&str>) -> Self {
        let http = OutboundClient::new(AddressPolicy { allow_private: true, allowed: Vec::new() });
        Self { http, url: url.trim_end_matches('/').to_owned(), key: key.map(str::to_owned) }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, CliError> {
        self.call("GET", path, None, &[]).await
    }

    pub(super) async fn post(&self, path: &str, body: Vec<u8>) -> Result<Value, CliError> {
        self.call("POST", path, Some(body), &[]).await
    }

    pub(super) async fn put(&self, path: &str, body: Vec<u8>) -> Result<Value, CliError> {
        self.call("PUT", path, Some(body), &[]).await
    }

    /// With more headers; those without a value are left out.
    pub(super) async fn post_with(
        &self,
        path: &str,
        body: Vec<u8>,
        headers: &[(&str, Option<&str>)],
    ) -> Result<Value, CliError> {
        self.call("POST", path, Some(body), headers).await
    }

    /// As [`Server::post_with`].
    pub(super) async fn put_with(
        &self,
        path: &str,
        body: Vec<u8>,
        headers: &[(&str, Option<&str>)],
    ) -> Result<Value, CliError> {
        self.call("PUT", path, Some(body), headers).await
    }

    /// As [`Server::post_with`].
    pub(super) async fn patch_with(
        &self,
        path: &str,
        body: Vec<u8>,
        headers: &[(&str, Option<&str>)],
    ) -> Result<Value, CliError> {
        self.call("PATCH", path, Some(body), headers).await
    }

    /// The answer, `null` when it has no body. Any status but 2xx is an error with the server's words.
    async fn call(
        &self,
        method: &str,
        path: &str,
        body: Option<Vec<u8>>,
        headers: &[(&str, Option<&str>)],
    ) -> Result<Value, CliError> {
        let response = self.send(method, path, body, headers).await?;
        let answer: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        if response.is_success() {
            return Ok(answer);
        }
        let message = answer["message"].as_str().unwrap_or(&response.reason).to_owned();
        let call = format!("{method} {}{path}", self.url);
        Err(CliError::Refused { call, status: response.status, message })
    }

    /// The answer whatever its status.
    pub(super) async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<Vec<u8>>,
        more: &[(&str, Option<&str>)],
    ) -> Result<OutboundResponse, CliError> {
        let url = format!("{}{path}", self.url);
        let mut headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        if let Some(key) = &self.key {
            headers.push(("Authorization".to_owned(), format!("Bearer {key}")));
        }
        let given = more.iter().filter_map(|(name, value)| Some(((*name).to_owned(), (*value)?.to_owned())));
        headers.extend(given);
        let request = OutboundRequest {
            method: method.to_owned(),
            url: url.clone(),
            headers,
            body,
            timeout: TIMEOUT,
            follow_redirects: false,
        };
        let response = self.http.send(request).await;
        response.map_err(|error| CliError::Call(call_failed(&error, method, &url)))
    }
}
