//! `SendMessage`, internal: sends a message of a workflow by the Messages API (Dispatch 8.2).

use super::{Input, Kind, Shape};

pub(super) const SHAPE: Shape = Shape {
    inputs: &[
        Input::required("message", Kind::Any, "The message."),
        Input::required("isLast", Kind::Boolean, "Whether no other message follows."),
    ],
    ..Shape::named("SendMessage", "Sends a message of a workflow.")
};
