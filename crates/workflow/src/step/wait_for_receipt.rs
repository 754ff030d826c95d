//! `WaitForReceipt`, an extension: parks its path until a sent message reached one of some states.

use super::{Input, Kind, Shape};

const STATES: &[&str] = &["sent", "delivered", "undelivered", "read", "failed", "rejected", "error"];

pub(super) const SHAPE: Shape = Shape {
    inputs: &[
        Input::required("umid", Kind::Text, "The message: `{{data.umid}}`, kept from the step that sent it."),
        Input::optional("states", Kind::Several(STATES), "Which ones; when left out, all that are final."),
        Input::optional(
            "timeout",
            Kind::Timespan,
            "Then it goes on without a receipt; two days when left out.",
        ),
    ],
    is_extension: true,
    ..Shape::named(
        "WaitForReceipt",
        "Waits until a sent message has reached a state: `step.receipt`, null after the timeout.",
    )
};
