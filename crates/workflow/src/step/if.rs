//! `If`: runs the sequences of `do` when its condition holds (spec 3.5.5).

use super::{Input, Kind, Shape};

pub(super) const SHAPE: Shape = Shape {
    inputs: &[Input::optional("condition", Kind::Condition, "Without it the body never runs.")],
    has_bodies: true,
    ..Shape::named("If", "Runs the steps in `do` when its condition holds, and then goes on.")
};
