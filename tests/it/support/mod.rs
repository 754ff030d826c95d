//! What the stories stand on: one private PostgreSQL per run, a database and a server per test.

mod answer;
mod app;
pub mod endpoint;
mod engine;
#[allow(dead_code, reason = "`tests/failure` uses the rest")]
pub mod extent;
#[allow(dead_code, reason = "`tests/failure` looks at no plans")]
pub mod plans;
mod pooler;
mod postgres;
pub mod sample;

pub use answer::{Answer, is_timestamp};
pub use app::{MASTER_KEY, TestApp, WEBHOOK_SECRET, http_client, instance_id, open_store, serve};
pub use endpoint::{Endpoint, serve as serve_router};
pub use engine::{Engine, Run, until};
pub use pooler::Pooler;
pub use sample::{definition, enabled, inbound_chat, inbound_chat_v3, inbound_sms, pong, sms};
