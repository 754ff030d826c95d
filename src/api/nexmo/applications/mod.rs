//! `/v2/applications`: an account's applications (Workflows API 3.3). For holders of a secret only.

pub mod create;
pub mod delete;
mod input;
pub mod list;
pub mod path;
pub mod show;
pub mod update;
pub mod view;
