//! `GET /fleet`: the workers. They are the installation's and no account's, so no account's key shows them: here,
//! and at a shell by `trunkline workers list`, are those who operate it.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use trunkline_store::workers::Worker;

use super::measure_database::Gauges;

/// How long those that left are shown.
const GONE: Duration = Duration::from_secs(3600);

/// A worker, as people and programs see it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FleetWorker {
    pub name: String,
    /// The fence: grows with every life of every worker.
    pub incarnation: i64,
    pub state: &'static str,
    pub version: String,
    pub slots: i32,
    pub busy: i64,
    /// Since its last sign of life.
    pub lease_age_seconds: f64,
    pub started_at: String,
    pub draining: bool,
    /// Whose steps it executes; without both, those of all accounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accounts: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub except_accounts: Option<Vec<String>>,
    /// Steps of which types; without both, of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub except_steps: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gone_at: Option<String>,
}

impl From<Worker> for FleetWorker {
    fn from(worker: Worker) -> Self {
        Self {
            incarnation: worker.id,
            state: worker.state().as_str(),
            lease_age_seconds: worker.lease_age().as_secs_f64(),
            slots: worker.slots,
            busy: worker.busy,
            started_at: text(&worker.started_at),
            draining: worker.draining,
            accounts: worker.accounts,
            except_accounts: worker.except_accounts,
            steps: worker.steps,
            except_steps: worker.except_steps,
            gone_at: worker.lost_at.as_ref().map(text),
            name: worker.name,
            version: worker.version,
        }
    }
}

pub fn fleet(workers: Vec<Worker>) -> Vec<FleetWorker> {
    workers.into_iter().map(FleetWorker::from).collect()
}

pub(super) async fn show(State(gauges): State<Gauges>) -> Result<Json<Vec<FleetWorker>>, StatusCode> {
    let workers = gauges.store.list_workers(GONE).await.map_err(|error| {
        tracing::warn!(error = %error, "the workers cannot be listed");
        StatusCode::SERVICE_UNAVAILABLE
    })?;
    Ok(Json(fleet(workers)))
}

fn text(time: &DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
