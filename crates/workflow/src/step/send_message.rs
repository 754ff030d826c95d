//! `SendMessage`, internal: sends a message of a workflow by the Messages API (Dispatch 8.2).

use super::Shape;

/// It takes the message from the context.
pub(super) const SHAPE: Shape = Shape::named("SendMessage", "Sends a message of a workflow.");
