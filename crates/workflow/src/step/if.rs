//! `If`: runs the sequences of `do` when its condition holds (spec 3.5.5).

use super::Shape;

pub(super) const SHAPE: Shape = Shape::named("If");
