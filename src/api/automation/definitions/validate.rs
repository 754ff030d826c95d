//! `POST /definitions/validate`, an extension: what is wrong with a definition, without saving it.

use serde::Serialize;
use trunkline_expressions::check_scripts;
use trunkline_workflow::definition::{self, Problem, Severity};
use utoipa::ToSchema;

use super::input_schema::DefinitionInput;
use crate::api::auth::Account;
use crate::api::body::Body;
use crate::api::error::{AccountErrors, BodyErrors};
use crate::api::json::Json;

/// All that is wrong with a definition.
#[derive(Serialize, ToSchema)]
pub struct Validation {
    /// Whether it can be saved: there are no errors.
    valid: bool,
    /// Errors before warnings, 200 of them at most.
    problems: Vec<ProblemView>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = DefinitionProblem)]
struct ProblemView {
    severity: SeverityView,
    /// Of an error, what saving answers.
    message: String,
    /// The id of the step that it is about.
    #[schema(required)]
    step: Option<String>,
    /// JSON pointer into the request body.
    #[schema(example = "/definition/steps/0/inputs/text")]
    path: String,
    /// Of a body that is no JSON, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    /// From 1: in that line, or of a script in the text at `path`.
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    /// What the parser says.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Severity)]
enum SeverityView {
    /// It cannot be saved.
    Error,
    /// It can, and is probably not meant so.
    Warning,
}

impl From<Problem> for ProblemView {
    fn from(problem: Problem) -> Self {
        Self {
            severity: match problem.severity {
                Severity::Error => SeverityView::Error,
                Severity::Warning => SeverityView::Warning,
            },
            message: problem.message,
            step: problem.step,
            path: problem.path,
            line: problem.line,
            column: problem.column,
            detail: problem.detail,
        }
    }
}

/// Check a definition without saving it
///
/// Extension. Tells all problems at once: errors, for which it would not be saved, and warnings about what is
/// probably not meant, such as a route to a step that does not exist. A body that is no JSON is a problem
/// like others.
#[utoipa::path(
    post,
    path = "/api/v1/accounts/{accountId}/definitions/validate",
    operation_id = "validate-definition",
    tag = "Definitions",
    params(Account),
    request_body = DefinitionInput,
    responses(
        (status = 200, description = "Checked.", body = Validation),
        AccountErrors,
        BodyErrors,
    )
)]
pub async fn validate(Account(_): Account, body: Body) -> Json<Validation> {
    let problems = definition::check(&body.0, &check_scripts);
    Json(Validation {
        valid: problems.iter().all(|problem| problem.severity != Severity::Error),
        problems: problems.into_iter().map(ProblemView::from).collect(),
    })
}
