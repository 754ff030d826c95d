//! `GET /steps/timezones` (spec 2.13).

use serde::Serialize;
use trunkline_expressions::time_zones;
use utoipa::{IntoParams, ToSchema};

use crate::api::auth::Account;
use crate::api::error::AccountErrors;
use crate::api::json::Json;
use crate::api::query::Query;

/// For the OpenAPI document.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `timezones` reads")]
pub struct Filter {
    /// Only zones with this in their id or name, in any letter case.
    #[param(example = "europe")]
    contains: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = TimeZone)]
pub struct TimeZoneView {
    /// What scripts pass to `isTimeOfDayBetween`.
    #[schema(example = "Singapore Standard Time")]
    id: &'static str,
    /// Cities of the zone and its standard offset.
    #[schema(example = "Kuala Lumpur, Singapore (UTC+08:00)")]
    name: String,
}

/// List time zones
///
/// The zones that `isTimeOfDayBetween` knows, from west to east. Their daylight saving is that of the IANA
/// database, whatever the offset in the name.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{accountId}/steps/timezones",
    operation_id = "get-timezones",
    tag = "Steps",
    params(Account, Filter),
    responses(
        (status = 200, description = "All that match.", body = Vec<TimeZoneView>),
        AccountErrors,
    )
)]
pub async fn timezones(_: Account, query: Query) -> Json<Vec<TimeZoneView>> {
    let wanted = query.text("contains").unwrap_or_default().to_lowercase();
    let zones = time_zones::all().iter().map(|zone| TimeZoneView { id: zone.id, name: zone.name() });
    let matching =
        zones.filter(|zone| [zone.id, &zone.name].iter().any(|text| text.to_lowercase().contains(&wanted)));
    Json(matching.collect())
}
