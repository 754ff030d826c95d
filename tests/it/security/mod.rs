//! What somebody finds who tries every operation of the OpenAPI document with what is not his: other keys, other
//! accounts' ids, members that are the server's to set, values beside the limits. A new operation is tried, too; whoever
//! adds a parameter that names something of an account tells [`world::Possessions`] of one.

mod foreign_ids;
mod keys;
mod limits;
mod mass_assignment;
mod scopes;
mod world;
