//! Definitions: `/definitions` and `/definitions/{definitionId}` (spec 2.2–2.6).

mod check_input;
pub mod create;
pub mod delete;
pub mod history;
pub mod input_schema;
pub mod list;
pub mod schema;
pub mod update;
pub mod validate;
pub mod view;
