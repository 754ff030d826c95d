//! `SendToConverse`: hands the conversation to people (spec 3.5.10).

use super::Shape;

pub(super) const SHAPE: Shape = Shape::named("SendToConverse");
