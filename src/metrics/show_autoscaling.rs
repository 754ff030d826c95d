//! `GET /autoscaling`: what an autoscaler follows.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;

use super::measure_database::Gauges;
use super::suggest_workers::{oldest_runnable, saturation, suggest_workers};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Autoscaling {
    /// Jobs that a worker could take now; timers and deadlines that are due among them.
    runnable: i64,
    oldest_runnable_seconds: f64,
    workers: i64,
    slots: i64,
    busy_slots: i64,
    /// `busySlots` / `slots`.
    saturation: f64,
    suggested_workers: i64,
}

pub(super) async fn show(State(gauges): State<Gauges>) -> Result<Json<Autoscaling>, StatusCode> {
    let measured = gauges.look().await.ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
    let (queue, fleet) = (&measured.queue, &measured.fleet);
    Ok(Json(Autoscaling {
        runnable: queue.ready + queue.due_waits,
        oldest_runnable_seconds: oldest_runnable(queue),
        workers: fleet.live,
        slots: fleet.slots,
        busy_slots: fleet.busy,
        saturation: saturation(fleet),
        suggested_workers: suggest_workers(queue, fleet),
    }))
}
