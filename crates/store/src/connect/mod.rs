//! How statements reach PostgreSQL: over sessions of our own, or over those that a pooler lends for one transaction
//! at a time.
//!
//! A pooler that pools transactions (PgBouncer with `pool_mode = transaction`) may send every transaction over another
//! session. What a session remembers between two transactions is then lost, or somebody else's: its settings, its
//! locks, its prepared statements. The driver prepares each statement under a name in one exchange and executes it
//! in the next, so behind such a pooler a client could execute what another one prepared. Therefore
//!
//! ```text
//!                        session of our own     lent, names kept apart     lent
//! a statement            named, alone           named, alone               unnamed, in a transaction of its own
//! one of a transaction   named                  named                      unnamed
//! a worker's statement   named, alone           named, in a transaction    unnamed, in a transaction
//! ```
//!
//! Names are kept apart by PgBouncer 1.21 and newer with `max_prepared_statements`. Which of the three it is is found
//! out once per process and looked after at each new connection ([`route`]); what is given as text, without
//! parameters, is one message and goes as it is in all of them.

mod connection;
mod kept;
mod patience;
mod pool;
mod route;
mod taken;

/// How long PostgreSQL waits in the middle of a transaction for a client that may be gone without a word: its machine
/// died, or the network between. What the transaction has locked is locked until then, and whoever would do the work in
/// its place waits. Shorter than any lease, and much longer than we are ever idle between two statements.
const IDLE_LIMIT: (&str, &str) = ("idle_in_transaction_session_timeout", "5s");
/// For a transaction of the pool, whoever its session belongs to.
pub(crate) const BEGIN: &str = "begin; set local idle_in_transaction_session_timeout = '5s'";
/// One that only reads, all of it as it was at one moment.
pub(crate) const BEGIN_SNAPSHOT: &str =
    "begin isolation level repeatable read read only; set local idle_in_transaction_session_timeout = '5s'";

pub use connection::{PgConnection, Transaction};
pub(crate) use kept::Kept;
pub(crate) use patience::within;
pub use pool::PgPool;
pub use route::Sessions;
pub(crate) use route::{BEGIN_HOT, Route};
