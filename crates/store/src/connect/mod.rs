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
mod pool;
mod route;
mod taken;

pub use connection::{PgConnection, Transaction};
pub use pool::PgPool;
pub(crate) use route::Route;
pub use route::Sessions;
