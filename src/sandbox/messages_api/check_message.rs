//! What the platform checks about a message (Workflows API 4, 12.2).

use serde_json::{Map, Value};
use trunkline_connectors::messages_api::Version;
use trunkline_workflow::dispatch::{InvalidParameter, Message, RequestError, parse_message};

use super::flat_message::{channel_from_v1, channels_of_v1, name_in_v1, nest};
use super::problem::Problem;

/// The body, and what it says.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) request: Value,
    pub(super) message: Message,
}

pub(super) fn check_message(version: Version, body: &[u8]) -> Result<Checked, Problem> {
    let request: Map<String, Value> =
        serde_json::from_slice(body).map_err(|_| Problem::invalid_json(version))?;
    let nested = match version {
        Version::V0_1 => Value::Object(request.clone()),
        Version::V1 => nest(&request, channel_of(&request)?),
    };
    let message = parse_message(nested.to_string().as_bytes()).map_err(|error| match error {
        RequestError::InvalidJson(_) => Problem::invalid_json(version),
        RequestError::InvalidParameters(parameters) => {
            Problem::invalid_parameters(version, named_in(version, parameters))
        }
    })?;
    Ok(Checked { request: Value::Object(request), message })
}

/// In v0.1's words.
fn channel_of(flat: &Map<String, Value>) -> Result<&'static str, Problem> {
    let channel = flat.get("channel").and_then(Value::as_str).and_then(channel_from_v1);
    channel.ok_or_else(|| {
        let reason = format!("must be one of {}", channels_of_v1().join(", "));
        let parameter = InvalidParameter { name: "channel".to_owned(), reason };
        Problem::invalid_parameters(Version::V1, vec![parameter])
    })
}

fn named_in(version: Version, mut parameters: Vec<InvalidParameter>) -> Vec<InvalidParameter> {
    if version == Version::V1 {
        for parameter in &mut parameters {
            parameter.name = name_in_v1(&parameter.name);
        }
    }
    parameters
}
