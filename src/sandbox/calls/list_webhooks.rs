//! The platform's own endpoint that lists the webhooks of a subaccount. The sandbox has none that
//! could be set: it delivers to the server it was started for.

use axum::Json;
use axum::extract::Path;
use axum::http::HeaderMap;
use serde_json::Value;

use super::place_call::check_access;
use super::voice_refusal::VoiceRefusal;

pub(in crate::sandbox) async fn list_webhooks(
    Path(sub_account_id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Vec<Value>>, VoiceRefusal> {
    check_access(&sub_account_id, &headers)?;
    Ok(Json(Vec::new()))
}
