//! `ReportOutcome`, internal: ends a workflow and has its final report told (Dispatch 9.3).

use super::{Input, Kind, Shape};

pub(super) const SHAPE: Shape = Shape {
    inputs: &[Input::required("isMet", Kind::Boolean, "Whether a message reached what it had to.")],
    ..Shape::named("ReportOutcome", "Ends a workflow and has its end told.")
};
