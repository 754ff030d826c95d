//! `Wait`: pauses its path (spec 3.5.6).

use super::{Input, Kind, Shape};

pub(super) const SHAPE: Shape = Shape {
    inputs: &[Input::required("duration", Kind::Timespan, "How long.")],
    ..Shape::named("Wait", "Pauses its path.")
};
