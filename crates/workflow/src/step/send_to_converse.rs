//! `SendToConverse`: hands the conversation to people (spec 3.5.10).

use super::{Input, Kind, Shape};

pub(super) const SHAPE: Shape = Shape {
    inputs: &[Input::optional("payload", Kind::Any, "What they are told, usually `{{data.payload}}`.")],
    ..Shape::named("SendToConverse", "Hands the conversation to people: `step.ticketId`.")
};
