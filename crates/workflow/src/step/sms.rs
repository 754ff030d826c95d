//! `SMS`: sends a text message (spec 3.5.1).

use super::{Input, Kind, Shape};

pub(super) const SHAPE: Shape = Shape {
    inputs: &[
        Input::required("subAccountId", Kind::Text, "The subaccount that sends."),
        Input::required("destination", Kind::Text, "The phone number, with its country code."),
        Input::required("text", Kind::Text, "The message; beyond 10 parts it is cut."),
        Input::optional("country", Kind::Text, "Two letters (ISO 3166), for a number in national form."),
        Input::optional("source", Kind::Text, "The sender that is shown, 16 characters at most."),
        Input::optional("clientMessageId", Kind::Text, "An id of your own, 350 characters at most."),
        Input::optional("encoding", Kind::Known(&["AUTO", "GSM7", "UCS2"]), "`AUTO` when left out."),
        Input::optional("scheduled", Kind::Text, "When to send (ISO 8601), 7 days ahead at most."),
        Input::optional("expiry", Kind::Text, "When sending is given up (ISO 8601)."),
        Input::optional("dlrCallbackUrl", Kind::Text, "Where the platform sends delivery receipts."),
    ],
    ..Shape::named("SMS", "Sends a text message.")
};
