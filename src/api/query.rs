//! Query parameters by name. Unknown ones are ignored, of repeated ones the last counts.

use std::collections::HashMap;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use chrono::{DateTime, Utc};
use trunkline_workflow::Version;

use super::error::ApiError;
use super::timestamp;

pub struct Query(HashMap<String, String>);

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let read = axum::extract::Query::try_from_uri(&parts.uri);
        read.map(|axum::extract::Query(pairs)| Self(pairs)).map_err(|_| ApiError::InvalidParameter("query"))
    }
}

impl Query {
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Parameters whose names begin so, by what follows in their names.
    pub fn beginning_with(&self, prefix: &str) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(move |(name, value)| Some((name.strip_prefix(prefix)?, value.as_str())))
    }

    /// `parse` says `None` for what is not acceptable.
    pub fn read<T>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, ApiError> {
        let read = |text| parse(text).ok_or(ApiError::InvalidParameter(name));
        self.text(name).map(read).transpose()
    }

    /// A version that no definition can have is not found, but it is no mistake.
    pub fn version(&self) -> Result<Option<Version>, ApiError> {
        self.read("version", |text| {
            let number = text.parse::<i64>().ok().filter(|number| *number >= 1)?;
            Some(Version::try_from(number).unwrap_or(Version::MAX))
        })
    }

    pub fn time(&self, name: &'static str) -> Result<Option<DateTime<Utc>>, ApiError> {
        self.read(name, timestamp::parse)
    }

    /// `true`, `false`, `1`, `0` in any letter case; absent is `false`.
    pub fn flag(&self, name: &'static str) -> Result<bool, ApiError> {
        let flag = self.read(name, |text| match text.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        });
        Ok(flag?.unwrap_or(false))
    }
}
