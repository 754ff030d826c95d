//! What can be set, a part per file; commands take the parts they need. Wrong values are refused at start.

mod accounts;
mod api;
mod base_url;
mod database;
mod event_rules;
mod listen;
mod log;
mod master_key;
mod metrics;
mod networks;
mod rules;
mod secret;
mod steps;
mod traces;
mod worker;
mod workflows_api;

pub(super) use api::AccountApi;
pub use api::ApiSettings;
pub(super) use base_url::{is_readable_on_the_way, is_same_origin, parse_base_url, parse_web_url};
pub use database::{DatabaseSettings, PoolSettings};
pub use listen::{DEFAULT_ADDRESS, ListenSettings};
pub use log::LogSettings;
pub(super) use master_key::read_master_keys;
pub use master_key::{MasterKeySettings, SealingStoreSettings};
pub use metrics::MetricsSettings;
pub(super) use networks::{Networks, parse_networks};
pub use secret::Secret;
pub use traces::TraceSettings;
pub use worker::WorkerSettings;
pub(super) use worker::evaluators;
