//! Instances of all definitions of an account, found by what they are, where they failed and what is in them;
//! newest first.
//!
//! Ids order by time, so "newest first" is a walk down the primary key, and a page ends at an id. What is rare has a
//! way of its own, so that nobody walks past ten million instances to find three:
//!
//! ```text
//!  error, fingerprint, step ──► failures       written with the end of an instance that failed
//!  phone, context.x ──────────► search_buckets, search_groups  written by upkeep, which follows ┐ above its mark:
//!  definition, a few versions ► search_groups, search_buckets  the instances                    ┘ a walk
//!  Terminated ────────────────► failures, and a term of those that somebody terminated
//!  Runnable, Suspended, step ─► jobs, waits
//!  the rest ──────────────────► a walk down the instances
//!                                    │ candidates, in pieces
//!                                    ▼
//!                        the instances themselves, with every condition
//! ```
//!
//! A term of few instances is packed with other terms (`buckets`), one of many has rows of its own in `search_groups`.
//! What was written before there were these is in `search_values` and `search_terms`.
//!
//! A search that finds little stops when its time is up and says how far it came; the next page goes on there.

mod buckets;
mod candidates;
mod entries;
mod failures;
mod filter;
mod find;
mod fingerprint;
mod follow_instances;
mod follow_unfinished;
mod former;
mod merge_buckets;
mod packed;
mod read_buckets;
pub mod statements;
mod terms;
mod write_terms;

pub(crate) use failures::{NewFailure, note_failures, note_stopped};
pub use filter::{Failure, FoundInstance, InstanceSearch, LONGEST_VALUE, Phone, SearchPage};
pub use fingerprint::Fingerprint;
