//! `Failover`, an extension: messages of which the next one is sent where one does not get through (Dispatch 8).

use super::{Input, Kind, Shape};

pub(super) const SHAPE: Shape = Shape {
    inputs: &[Input::required(
        "workflow",
        Kind::Any,
        "The messages, an array of what the Workflows API takes: each but the last with its `failover`.",
    )],
    is_extension: true,
    ..Shape::named(
        "Failover",
        "Sends messages one after the other, on one channel after the other, until one gets through: `step.status` is \
         `completed`, `error` or `cancelled`, `step.channel` the one that won, null if none did.",
    )
};
