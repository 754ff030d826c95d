//! The helper functions that scripts can call (spec 4.5), as pure functions.

mod call_helper;
mod fold_case;
mod is_country_code;
mod is_day_of_week;
mod is_time_of_day_between;
mod parse_timestamp;
mod string_contains;

pub(crate) use call_helper::{Answer, Argument, Helper};
pub use call_helper::{FunctionError, uuid};
pub use is_country_code::is_country_code;
pub(crate) use is_country_code::load_calling_codes;
pub use is_day_of_week::is_day_of_week;
pub use is_time_of_day_between::is_time_of_day_between;
pub use string_contains::string_contains;
