//! Templates: JSON values with `{{ … }}` in their strings (spec 4.2).

mod check_scripts;
mod compile_template;
mod node;
mod scan_text;
mod write_function;

pub use check_scripts::check_scripts;
pub use compile_template::Template;
pub(crate) use node::{Leaf, Mode, Node, Piece, Script};
