//! The vendor's document: OpenAPI 3.0, whose schemas are those of JSON Schema's fourth draft.

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, ValidationError};
use reqwest::Method;
use serde_json::{Value, json};

use super::exceptions::Findings;
use super::requests::Request;

pub struct Official(Value);

pub struct Operation {
    pub id: String,
    pub method: Method,
    pub path: String,
    /// Those of the path and its own, resolved.
    pub parameters: Vec<Value>,
    pub request_body: Option<Value>,
    /// By their statuses.
    pub responses: Value,
}

impl Operation {
    /// The only status below 400, and what is answered with it.
    pub fn success(&self) -> (u16, &Value) {
        let mut successes = self.described().filter(|(status, _)| *status < 400);
        let success = successes.next().unwrap();
        assert!(successes.next().is_none(), "{}", self.id);
        success
    }

    pub fn errors(&self) -> impl Iterator<Item = (u16, &Value)> {
        self.described().filter(|(status, _)| *status >= 400)
    }

    fn described(&self) -> impl Iterator<Item = (u16, &Value)> {
        let responses = self.responses.as_object().unwrap().iter();
        responses.map(|(status, described)| (status.parse().unwrap(), described))
    }
}

/// Of a request body or a response; `None` where no content is described.
pub fn schema(described: &Value) -> Option<&Value> {
    described["content"]["application/json"].get("schema")
}

impl Official {
    /// `None` where nobody said where it is.
    pub fn read() -> Option<Self> {
        let path = std::env::var_os("OFFICIAL_OPENAPI")?;
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Some(Self(serde_json::from_str(&text).unwrap()))
    }

    pub fn operations(&self) -> Vec<Operation> {
        let paths = self.0["paths"].as_object().unwrap();
        let of_path = |(path, item): (&String, &Value)| {
            let operations = item.as_object().unwrap().iter().filter(|(key, _)| *key != "parameters");
            let operations = operations.map(|(method, operation)| Operation {
                id: operation["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                parameters: [&item["parameters"], &operation["parameters"]]
                    .into_iter()
                    .flat_map(|list| list.as_array().into_iter().flatten())
                    .map(|parameter| self.resolve(parameter).clone())
                    .collect(),
                request_body: operation.get("requestBody").cloned(),
                responses: operation["responses"].clone(),
            });
            operations.collect::<Vec<_>>()
        };
        paths.iter().flat_map(of_path).collect()
    }

    /// What a `$ref` refers to; anything else is itself.
    pub fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        let Some(reference) = value.get("$ref") else { return value };
        let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
        self.resolve(self.0.pointer(pointer).unwrap())
    }

    /// Of a request body or a response.
    pub fn examples(&self, described: &Value) -> Vec<Value> {
        let content = &described["content"]["application/json"];
        let named = content["examples"].as_object().into_iter().flat_map(|examples| examples.values());
        let values = named.map(|example| self.resolve(example)["value"].clone());
        values.chain(content.get("example").cloned()).collect()
    }

    /// The values of all examples that definitions are made from, in requests and in answers.
    pub fn definition_examples(&self) -> Vec<Value> {
        let examples = self.0["components"]["examples"].as_object().unwrap().values();
        let values = examples.flat_map(|example| match &example["value"] {
            Value::Array(values) => values.clone(),
            value => vec![value.clone()],
        });
        values.filter(|value| value.get("trigger").is_some()).collect()
    }

    /// By its name among the components.
    pub fn example(&self, name: &str) -> &Value {
        &self.0["components"]["examples"][name]["value"]
    }

    pub fn component(&self, name: &str) -> &Value {
        &self.0["components"]["schemas"][name]
    }

    pub fn check_request(&self, operation: &Operation, request: &Request, findings: &mut Findings) {
        let (Some(described), Some(body)) = (&operation.request_body, &request.body) else { return };
        for difference in self.differences(schema(described).unwrap(), body) {
            findings.add(&format!("{} request", operation.id), difference);
        }
    }

    /// What makes the value no instance of the schema, in sentences.
    pub fn differences(&self, schema: &Value, value: &Value) -> Vec<String> {
        let schema = json!({"components": self.0["components"], "allOf": [schema]});
        let validator = jsonschema::options().with_draft(Draft::Draft4).build(&schema).unwrap();
        validator.iter_errors(value).flat_map(|error| explain(&error)).collect()
    }
}

/// Of several schemas the one that is meant is known: of steps by their type, else by being nearest.
fn explain(error: &ValidationError) -> Vec<String> {
    let place = error.instance_path();
    match error.kind() {
        ValidationErrorKind::AnyOf { context } => match context.iter().find(|errors| is_of_type(errors)) {
            Some(errors) => errors.iter().flat_map(explain).collect(),
            None => vec![format!("{place}: the schema has no step type {}", error.instance()["stepType"])],
        },
        ValidationErrorKind::OneOfNotValid { context } => {
            let nearest = context.iter().min_by_key(|errors| errors.len()).into_iter().flatten();
            nearest.flat_map(explain).collect()
        }
        ValidationErrorKind::OneOfMultipleValid { .. } => {
            vec![format!("{place}: is of more than one schema")]
        }
        _ => vec![format!("{place}: {error}")],
    }
}

fn is_of_type(errors: &[ValidationError]) -> bool {
    !errors.iter().any(|error| matches!(error.kind(), ValidationErrorKind::Enum { .. }))
}
