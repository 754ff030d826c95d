//! What the server tells to whoever asks, and to the account's key.

use chrono::{DateTime, Utc};
use serde_json::Value;
use trunkline_connectors::clock;
use trunkline_connectors::outbound::OutboundResponse;

use super::finding::{self, Finding};
use crate::cli::chain::Chain;
use crate::cli::settings::AccountApi;

const OURS: &str = env!("CARGO_PKG_VERSION");

pub(super) async fn check_server(api: &AccountApi, findings: &mut Vec<Finding>) {
    let url = api.server.url();
    let begun = clock::now();
    let ready = match api.server.send("GET", "/readyz", None, &[]).await {
        Ok(ready) => ready,
        Err(error) => {
            let todo = format!("see whether `trunkline serve` runs, and whether `{url}` is where");
            findings.push(Finding::problem("server", Chain(&error).to_string(), todo));
            return;
        }
    };
    findings.push(match ready.status {
        200 => Finding::ok("server", format!("`{url}` answers and is ready")),
        503 => Finding::problem(
            "server",
            format!("`{url}` answers and is not ready"),
            "its log says why: the database is away or not migrated, or the server lacks the master key",
        ),
        status => Finding::problem(
            "server",
            format!("`{url}` answers with {status}"),
            "see whether it is a server of Trunkline",
        ),
    });
    if let Some(finding) = compare_clocks(&ready, begun) {
        findings.push(finding);
    }
    findings.push(compare_versions(api).await);
    findings.push(try_key(api).await);
}

/// The header has whole seconds: taken as their middle.
fn compare_clocks(answer: &OutboundResponse, begun: DateTime<Utc>) -> Option<Finding> {
    let theirs = DateTime::parse_from_rfc2822(answer.header("date")?).ok()?.to_utc();
    let ours = begun + (clock::now() - begun) / 2;
    let ahead = (theirs - ours).as_seconds_f64() + 0.5;
    Some(finding::clock("server clock", "the server's clock", ahead))
}

async fn compare_versions(api: &AccountApi) -> Finding {
    let answer = api.server.get("/openapi.json").await.unwrap_or_default();
    match answer["info"]["version"].as_str() {
        Some(theirs) if theirs == OURS => {
            Finding::ok("server version", format!("the server is {OURS}, as this program"))
        }
        Some(theirs) => Finding::warning(
            "server version",
            format!("the server is {theirs}, this program {OURS}"),
            "use the program of the server's version, but for the time of an upgrade",
        ),
        None => Finding::warning(
            "server version",
            "the server does not say its version",
            "see whether it is Trunkline",
        ),
    }
}

async fn try_key(api: &AccountApi) -> Finding {
    let answer = match api.server.send("GET", &api.path("/instances?limit=1"), None, &[]).await {
        Ok(answer) => answer,
        Err(error) => {
            let todo = "see whether the server has too much to do";
            return Finding::problem("key", Chain(&error).to_string(), todo);
        }
    };
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let said = body["message"].as_str().unwrap_or(&answer.reason);
    match answer.status {
        200 => Finding::ok("key", "it opens the account"),
        401 => Finding::problem(
            "key",
            format!("the server does not know it: {said}"),
            "`trunkline key create ACCOUNT` makes one; it may have expired, or been revoked",
        ),
        403 => {
            Finding::problem("key", format!("it is of another account: {said}"), "see `TRUNKLINE_ACCOUNT`")
        }
        status => {
            let found = format!("the account's instances are answered with {status}: {said}");
            Finding::problem("key", found, "the server's log says why, by the `errorId` of the answer")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::State;

    #[test]
    fn the_clock_of_the_answer_is_compared() {
        let answer = |date: DateTime<Utc>| OutboundResponse {
            status: 200,
            reason: String::new(),
            headers: vec![("date".to_owned(), date.format("%a, %d %b %Y %H:%M:%S GMT").to_string())],
            body: Vec::new(),
        };
        let now = clock::now();
        assert_eq!(compare_clocks(&answer(now), now).unwrap().state, State::Ok);
        let late = now - chrono::TimeDelta::seconds(10);
        let finding = compare_clocks(&answer(late), now).unwrap();
        assert_eq!(finding.state, State::Warning);
        assert!(finding.found.contains(" s behind this machine's"), "{}", finding.found);
    }
}
