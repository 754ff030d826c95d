//! `WaitForDTMF`: parks its path until keys are pressed or the time is over (spec 3.5.9).

use super::{Input, Kind, Shape};

/// Either of them names the call (X8); the first one wins.
pub const CALL: [&str; 2] = ["dtmfRequestId", "correlationId"];

pub(super) const SHAPE: Shape = Shape {
    inputs: &[
        Input::optional(
            CALL[0],
            Kind::Text,
            "The call: the `clientRequestId` that it was made with, or its `uid`.",
        ),
        Input::optional(CALL[1], Kind::Text, "Another name of `dtmfRequestId`."),
        Input::optional("timeout", Kind::Timespan, "Then it goes on without keys; a day when left out."),
    ],
    ..Shape::named(
        "WaitForDTMF",
        "Waits for keys pressed in a call: `step.dtmfData`, null after the timeout.",
    )
};
