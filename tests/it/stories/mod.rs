//! Instances that run: the real router, a real worker, real PostgreSQL, the sandbox carrier as provider.

mod commands;
mod messages;
mod replies;
mod requests;
mod routing;
mod versions;
mod waiting;
