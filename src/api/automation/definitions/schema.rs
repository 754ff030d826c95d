//! `GET /schemas/definition.json`, an extension: the JSON Schema of what a create or update request holds, for
//! editors. Made from the same table that the check reads.

use std::fmt::Write;
use std::sync::LazyLock;

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use trunkline_workflow::Trigger;
use trunkline_workflow::schedule::Missed;
use trunkline_workflow::step::{Input, Kind, Shape, StepType};

use crate::api::json::JSON;

/// A text with a script in it.
const EXPRESSION: &str = r"\{\{";
/// See `timespan` in the workflow crate.
const TIMESPAN: &str = r"^\s*(\d+|(\d+\.)?([01]?\d|2[0-3]):[0-5]?\d(:[0-5]?\d(\.\d{1,7})?)?|\d+:([01]?\d|2[0-3]):[0-5]?\d:[0-5]?\d(\.\d{1,7})?)\s*$";

static TEXT: LazyLock<String> = LazyLock::new(|| format!("{:#}", definition_schema()));

/// The JSON Schema of definitions
///
/// Extension. For editors: name it in `$schema`, or map your files to it.
#[utoipa::path(
    get,
    path = "/schemas/definition.json",
    operation_id = "definition-schema",
    tag = "Definitions",
    security(()),
    responses((status = 200, description = "A JSON Schema of 2020-12.", body = Object))
)]
pub async fn show() -> Response {
    ([(CONTENT_TYPE, JSON)], TEXT.as_str()).into_response()
}

fn definition_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Definition",
        "description": "A definition of a workflow, as it is created or updated. The server takes the names of \
            members in any letter case, which a schema cannot say: spell them as they are here. Members that \
            are not here are kept and shown. Extensions are not part of the original API.",
        "type": "object",
        "required": ["trigger", "definition"],
        "properties": {
            "$schema": {"type": "string"},
            "subAccountId": {
                "description": "The trigger's filter: with it only events of this subaccount start instances.",
                "type": ["string", "null"]
            },
            "trigger": with_description(word(Trigger::ALL.map(Trigger::as_str)), "What starts instances. \
                Extensions: `delivery_receipt`, the state of a sent message changed; `schedule`, the time of a \
                cron expression came."),
            "status": with_description(or_null(word(["enabled", "disabled"])), "Whether the trigger starts \
                instances; `disabled` when left out, also in an update."),
            "definition": {
                "type": "object",
                "required": ["name", "steps"],
                "properties": {
                    "name": {"type": "string", "pattern": r"\S", "maxLength": 255},
                    "steps": {
                        "description": "The first one is where an instance begins.",
                        "type": "array",
                        "minItems": 1,
                        "maxItems": 500,
                        "items": {"$ref": "#/$defs/step"}
                    }
                }
            },
            // What it must be is asked for by its trigger alone.
            "schedule": {"description": "Extension. When the trigger `schedule` starts instances."}
        },
        "if": {"required": ["trigger"], "properties": {"trigger": in_any_case(["schedule"])}},
        "then": {"required": ["schedule"], "properties": {"schedule": schedule()}},
        "$defs": {"step": step()}
    })
}

fn schedule() -> Value {
    json!({
        "type": "object",
        "required": ["cron"],
        "properties": {
            "cron": {
                "description": "Minute, hour, day of month, month, day of week (0 or 7 is Sunday); six fields \
                    begin with seconds. Or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.",
                "type": "string",
                "pattern": r"^\s*(@[A-Za-z]+|\S+(\s+\S+){4,5})\s*$",
                "maxLength": 200,
                "examples": ["0 9 * * 1-5", "*/15 * * * *", "@daily"]
            },
            "timeZone": {
                "description": "A Windows or IANA id; `UTC` when left out.",
                "type": ["string", "null"],
                "examples": ["Singapore Standard Time", "Europe/Berlin"]
            },
            "missed": with_description(or_null(word(Missed::ALL.map(Missed::as_str))), "What is done about \
                times that passed while no worker was there: nothing, one start for all of them (when left \
                out), or a start for each.")
        }
    })
}

fn step() -> Value {
    let names = StepType::ALL.into_iter().flat_map(|step_type| {
        let shape = step_type.shape();
        std::iter::once(shape.name).chain(shape.aliases.iter().copied())
    });
    let mut types = "What the step does; `SMS` when left out.".to_owned();
    for step_type in StepType::ALL {
        let shape = step_type.shape();
        write!(types, "\n\n`{}`: {}", shape.name, describe(shape))
            .expect("writing to a string cannot end in an error");
    }
    json!({
        "type": "object",
        "required": ["id"],
        "properties": {
            "id": {
                "description": "Unique in its array of steps.",
                "type": "string",
                "minLength": 1,
                "maxLength": 255
            },
            "stepType": with_description(or_null(word(names)), &types),
            "inputs": {"type": ["object", "null"]},
            "outputs": {
                "description": "Members to set in `data`, after the activity: `{\"umid\": \"{{step.umid}}\"}`.",
                "type": ["object", "null"]
            },
            "nextStepId": {
                "description": "The step to go on with. Without a route the path ends.",
                "type": ["string", "null"]
            },
            "selectNextStep": {
                "description": "Ids of steps and their conditions. Every step whose condition is true comes \
                    next; those with `null` when none is.",
                "type": ["object", "null"],
                "additionalProperties": {"type": ["string", "boolean", "null"]}
            },
            "do": {"description": "Of `If`: the sequences of steps that run when its condition holds."},
            "retry": retry()
        },
        "allOf": StepType::ALL.map(rules_of_type)
    })
}

fn retry() -> Value {
    json!({
        "description": "Extension. Tries again after a failure.",
        "type": ["object", "null"],
        "required": ["maxAttempts"],
        "properties": {
            "maxAttempts": {
                "description": "The first one included.",
                "type": "integer",
                "minimum": 1,
                "maximum": 100
            },
            "initialInterval": literal_timespan("The pause after the first attempt; 5 seconds when left out."),
            "backoff": {
                "description": "By what each pause is longer than the one before it; 2 when left out.",
                "type": ["number", "null"],
                "minimum": 1
            },
            "maxInterval": literal_timespan("No pause is longer; 5 minutes when left out.")
        }
    })
}

fn literal_timespan(description: &str) -> Value {
    json!({"description": description, "type": ["string", "integer", "null"], "pattern": TIMESPAN, "minimum": 0})
}

fn describe(shape: &Shape) -> String {
    let extension = if shape.is_extension { "Extension. " } else { "" };
    format!("{extension}{}", shape.description)
}

/// What a step of this type must hold.
fn rules_of_type(step_type: StepType) -> Value {
    let shape = step_type.shape();
    let names = in_any_case(std::iter::once(shape.name).chain(shape.aliases.iter().copied()));
    let applies = if step_type == StepType::Sms {
        json!({"properties": {"stepType": or_null(json!({"anyOf": [names]}))}})
    } else {
        json!({"required": ["stepType"], "properties": {"stepType": names}})
    };
    let required: Vec<&str> = shape.required().collect();
    let inputs_type = if required.is_empty() { json!(["object", "null"]) } else { json!("object") };
    let mut properties = Map::from_iter([(
        "inputs".to_owned(),
        json!({
            "description": describe(shape),
            "type": inputs_type,
            "required": required,
            "properties": properties_of(shape.inputs)
        }),
    )]);
    let mut needed = if required.is_empty() { vec![] } else { vec!["inputs"] };
    if shape.must_route {
        needed.push("selectNextStep");
        properties.insert("selectNextStep".to_owned(), json!({"type": "object", "minProperties": 1}));
    }
    if shape.has_bodies {
        let sequence = json!({"type": "array", "items": {"$ref": "#/$defs/step"}});
        properties.insert("do".to_owned(), json!({"type": ["array", "null"], "items": sequence}));
    }
    json!({"if": applies, "then": {"required": needed, "properties": properties}})
}

fn properties_of(inputs: &[Input]) -> Map<String, Value> {
    let property = |input: &Input| {
        let value = value_of(input.kind);
        let value = if input.required { value } else { or_null(value) };
        (input.name.to_owned(), with_description(value, input.description))
    };
    inputs.iter().map(property).collect()
}

/// Texts with scripts may stand for everything.
fn value_of(kind: Kind) -> Value {
    let or_script = |pattern: &str| format!("{EXPRESSION}|{pattern}");
    match kind {
        Kind::Text => json!({"type": ["string", "number", "boolean"]}),
        Kind::Integer => json!({"type": ["integer", "string"], "pattern": or_script(r"^\s*-?\d+\s*$")}),
        Kind::Number => json!({"type": ["number", "string"], "pattern": or_script(r"^\s*-?\d+(\.\d+)?\s*$")}),
        Kind::Boolean => {
            json!({"type": ["boolean", "string"], "pattern": or_script(r"^\s*(true|false)\s*$")})
        }
        Kind::Timespan => json!({
            "type": ["string", "integer"], "pattern": or_script(TIMESPAN), "minimum": 0,
            "examples": ["00:00:30", "00:05:00", "1.00:00:00"]
        }),
        Kind::Choice(choices) => {
            let mut value = word(choices.iter().copied());
            alternatives(&mut value).push(json!({"type": "string", "pattern": EXPRESSION}));
            value
        }
        Kind::Known(known) => json!({"anyOf": [{"enum": known}, {"type": ["string", "number", "boolean"]}]}),
        Kind::Several(known) => json!({"anyOf": [
            {"enum": known}, {"type": "string"}, {"type": "array", "minItems": 1, "items": value_of(Kind::Known(known))}
        ]}),
        Kind::Object(members) => json!({
            "type": ["object", "string"], "pattern": EXPRESSION, "properties": properties_of(members)
        }),
        Kind::Condition => json!({"type": ["string", "boolean"]}),
        Kind::Any => json!({}),
    }
}

/// One of these words, offered as they are and taken in any letter case.
fn word<'a>(words: impl IntoIterator<Item = &'a str>) -> Value {
    let words: Vec<&str> = words.into_iter().collect();
    json!({"anyOf": [{"enum": words}, in_any_case(words)]})
}

fn in_any_case<'a>(words: impl IntoIterator<Item = &'a str>) -> Value {
    let letter = |letter: char| match letter {
        'a'..='z' | 'A'..='Z' => format!("[{}{}]", letter.to_ascii_lowercase(), letter.to_ascii_uppercase()),
        other => other.to_string(),
    };
    let words: Vec<String> = words.into_iter().map(|word| word.chars().map(letter).collect()).collect();
    json!({"type": "string", "pattern": format!("^({})$", words.join("|"))})
}

fn alternatives(value: &mut Value) -> &mut Vec<Value> {
    value["anyOf"].as_array_mut().expect("only values with alternatives are asked for them")
}

/// The same, or null, which equals absent.
fn or_null(mut value: Value) -> Value {
    if let Some(types) = value.get_mut("type").and_then(Value::as_array_mut) {
        types.push("null".into());
    } else if value.get("anyOf").is_some() {
        alternatives(&mut value).push(json!({"type": "null"}));
    }
    value
}

fn with_description(mut value: Value, description: &str) -> Value {
    value["description"] = description.into();
    value
}
