//! Instances that run: the real router, a real worker, real PostgreSQL, the sandbox carrier as provider.

mod calls;
mod commands;
mod failover;
mod failover_step;
mod messages;
mod receipts;
mod replies;
mod requests;
mod retries;
mod routing;
mod sms_route;
mod versions;
mod waiting;
