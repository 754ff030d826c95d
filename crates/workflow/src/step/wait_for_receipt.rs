//! `WaitForReceipt`, an extension: parks its path until a sent message reached one of some states.

use super::{Input, Kind, Shape};

/// Of messages (spec 7.5), then of calls (spec 7.6.4).
const STATES: &[&str] = &[
    "queued",
    "accepted",
    "sent",
    "delivered",
    "undelivered",
    "read",
    "failed",
    "rejected",
    "error",
    "unknown",
    "ok",
    "completed",
    "no_answer",
    "busy",
    "canceled",
    "cancelled",
    "completed_unsubscribed",
    "completed_unsub_error",
    "unsubscribed_contact",
];

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
