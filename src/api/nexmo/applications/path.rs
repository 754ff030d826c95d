//! The application that a path names. One of another account is not found, as one that nobody has.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use trunkline_store::Store;
use trunkline_store::applications::{Application, ApplicationId};
use trunkline_workflow::AccountId;
use utoipa::IntoParams;
use uuid::Uuid;

use crate::api::nexmo::Problem;
use crate::api::path::find;

#[derive(IntoParams)]
#[into_params(names("applicationId"), parameter_in = Path)]
pub struct ApplicationPath(
    /// UUID of the application.
    #[param(value_type = Uuid)]
    pub ApplicationId,
);

impl<S: Send + Sync> FromRequestParts<S> for ApplicationPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = RawPathParams::from_request_parts(parts, state).await.map_err(|_| Problem::NotFound)?;
        let id = find(&params, "applicationId").and_then(|text| Uuid::try_parse(text).ok());
        id.map(Self).ok_or(Problem::NotFound)
    }
}

pub(super) async fn find_own(
    store: &Store,
    account: &AccountId,
    id: ApplicationId,
) -> Result<Application, Problem> {
    let application = store.find_application(id).await?;
    application.filter(|application| application.account == *account).ok_or(Problem::NotFound)
}
