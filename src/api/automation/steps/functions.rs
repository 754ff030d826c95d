//! `GET /steps/functions` (spec 2.14, 4.6).

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::api::auth::Account;
use crate::api::error::AccountErrors;
use crate::api::json::Json;

/// A function that scripts can call besides those of JavaScript.
#[derive(Serialize, ToSchema)]
#[schema(as = Function)]
pub struct FunctionView {
    #[schema(example = "isDayOfWeek")]
    name: &'static str,
    description: &'static str,
    /// A call of it.
    #[schema(example = "isDayOfWeek('2021-05-25', 'Tuesday')")]
    example: &'static str,
    /// In the order in which they are passed.
    parameters: Vec<ParameterView>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = FunctionParameter)]
pub struct ParameterView {
    name: &'static str,
    /// Of JavaScript: `string`, `boolean`.
    r#type: &'static str,
    required: bool,
    /// What it is when it is left out; null for what cannot be left out.
    #[schema(required)]
    default: Value,
    description: &'static str,
    /// A value as it may be passed.
    example: Value,
}

/// List helper functions
///
/// What scripts in inputs, outputs and conditions can call on top of JavaScript's own functions.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{accountId}/steps/functions",
    operation_id = "get-functions",
    tag = "Steps",
    params(Account),
    responses((status = 200, description = "All of them.", body = Vec<FunctionView>), AccountErrors)
)]
pub async fn functions(_: Account) -> Json<Vec<FunctionView>> {
    Json(all())
}

fn all() -> Vec<FunctionView> {
    vec![
        FunctionView {
            name: "isCountryCode",
            description: "True when a phone number belongs to a country. What cannot be read as a number \
                          belongs to none.",
            example: "isCountryCode('+6512345678', 'SG')",
            parameters: vec![
                text("phoneNumber", "A phone number with its country's calling code.", "+6512345678"),
                text("countryCode", "The country's two letters by ISO 3166-1, in any letter case.", "SG"),
            ],
        },
        FunctionView {
            name: "stringContains",
            description: "True when one text occurs in another.",
            example: "stringContains('hello, world', 'WOR', true)",
            parameters: vec![
                text("source", "The text that is looked through.", "hello, world"),
                text("value", "The text that is looked for.", "WOR"),
                ParameterView {
                    name: "ignoreCase",
                    r#type: "boolean",
                    required: false,
                    default: false.into(),
                    description: "Whether upper and lower case letters count as the same.",
                    example: true.into(),
                },
            ],
        },
        FunctionView {
            name: "isTimeOfDayBetween",
            description: "True when a moment, told by the clocks of a time zone, lies between two times of \
                          the day; both belong to it. When the first is the later one, midnight lies between.",
            example: "isTimeOfDayBetween('2020-10-15T14:40:15+07:00', '09:00:00', '18:00:00', \
                      'Singapore Standard Time')",
            parameters: vec![
                text(
                    "timestamp",
                    "The moment, by ISO 8601; UTC unless it says otherwise.",
                    "2020-10-15T14:40:15+07:00",
                ),
                text("timeFrom", "The first time of the day.", "09:00:00"),
                text("timeTo", "The last time of the day.", "18:00:00"),
                text(
                    "timezone",
                    "The id of a time zone, as `steps/timezones` lists them.",
                    "Singapore Standard Time",
                ),
            ],
        },
        FunctionView {
            name: "isDayOfWeek",
            description: "True when a date, as it is written, is a certain day of the week.",
            example: "isDayOfWeek('2021-05-25', 'Tuesday')",
            parameters: vec![
                text("timestamp", "A date, or a date and a time, by ISO 8601.", "2021-05-25"),
                text("day", "The day's English name, in any letter case.", "Tuesday"),
            ],
        },
        FunctionView {
            name: "uuid",
            description: "Makes a random UUID, another one with every call.",
            example: "uuid()",
            parameters: Vec::new(),
        },
    ]
}

/// A text that must be passed.
fn text(name: &'static str, description: &'static str, example: &'static str) -> ParameterView {
    let (required, default, example) = (true, Value::Null, example.into());
    ParameterView { name, r#type: "string", required, default, description, example }
}
