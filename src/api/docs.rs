//! The reference page at `/docs`: Swagger UI, served from the binary, reading our `/openapi.json`.

use std::sync::{Arc, LazyLock};

use axum::extract::Path;
use axum::http::Uri;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Redirect, Response};
use utoipa_swagger_ui::Config;

use super::error::ApiError;

/// Its badge would send the document to somebody else's validator.
static PAGE: LazyLock<Arc<Config<'static>>> =
    LazyLock::new(|| Arc::new(Config::from("/openapi.json").validator_url("none")));

/// The page's files are named relative to `/docs/`.
pub async fn redirect() -> Redirect {
    Redirect::permanent("/docs/")
}

pub async fn index(uri: Uri) -> Result<Response, ApiError> {
    serve("", &uri)
}

pub async fn file(path: Option<Path<String>>, uri: Uri) -> Result<Response, ApiError> {
    serve(&path.map(|Path(path)| path).unwrap_or_default(), &uri)
}

fn serve(path: &str, uri: &Uri) -> Result<Response, ApiError> {
    match utoipa_swagger_ui::serve(path, PAGE.clone()) {
        Ok(Some(file)) => Ok(([(CONTENT_TYPE, file.content_type)], file.bytes.into_owned()).into_response()),
        Ok(None) | Err(_) => Err(ApiError::PathNotFound(uri.path().to_owned())),
    }
}
