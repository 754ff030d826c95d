//! Limits of accounts, and leave for the steps that come under them.
//!
//! ```text
//!  worker ──ask_leave──► given: it counts from now on         one transaction for all who ask at once,
//!             │                                               under the account's lock
//!             └──► not yet: it has a place in a queue, and its job is parked
//!                                    │
//!    upkeep ──let_through──► there is room: the first ones' jobs are ready again, and ask
//! ```
//!
//! Leave is given by whoever asks at the moment of the deed, never ahead of it: however late a job comes back, no
//! window has more in it than the rate allows. Upkeep only says who may ask. Those who wait come first, in the order
//! in which they asked first; who comes anew finds room only behind them. What has to be waited for alone by its
//! time, the end of quiet hours or of a recipient's day, comes back by itself.
//!
//! An account without limits has no rows here, and its steps ask nobody.

mod ask_leave;
mod changed_limits;
mod definition_states;
mod let_through;
mod line;
mod queue;
mod set_limits;
mod wait_for_definition;

pub use ask_leave::{Ask, Leave};
pub use changed_limits::Changed;
pub use definition_states::{DefinitionState, StateChange};
pub(crate) use let_through::step_aside;
pub use let_through::{LetThrough, QueueMark};
