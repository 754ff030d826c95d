//! `WaitForStatus`, internal: parks until a message has a status that decides, or its time is over (Dispatch 8.2).

use super::{Input, Kind, Shape};

pub(super) const SHAPE: Shape = Shape {
    inputs: &[
        Input::required("message", Kind::Text, "Our id of the message."),
        Input::required("condition", Kind::Text, "What it has to reach."),
        Input::required("deadline", Kind::Text, "When its time is over."),
    ],
    ..Shape::named("WaitForStatus", "Waits for a status of a message of a workflow.")
};
