//! `Jump`: follows its route; `inputs.stepId` serves where `nextStepId` is missing (spec 3.5.11).

use super::Shape;

pub(super) const SHAPE: Shape = Shape { aliases: &["JumpTo", "Goto"], ..Shape::named("Jump") };
