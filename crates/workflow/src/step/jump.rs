//! `Jump`: follows its route; `inputs.stepId` serves where `nextStepId` is missing (spec 3.5.11).

use super::{Input, Kind, Shape};

pub(super) const SHAPE: Shape = Shape {
    aliases: &["JumpTo", "Goto"],
    inputs: &[Input::optional("stepId", Kind::Text, "The step to go on with, if `nextStepId` is missing.")],
    ..Shape::named("Jump", "Goes on with another step.")
};
