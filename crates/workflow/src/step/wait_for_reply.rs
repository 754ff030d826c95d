//! `WaitForReply`: parks its path until a message comes in or the time is over (spec 3.5.7).

use super::{Input, Kind, Shape};

const CHANNELS: &[&str] = &["sms", "whatsapp", "viber", "line", "RCS"];

pub(super) const SHAPE: Shape = Shape {
    inputs: &[
        Input::required("from", Kind::Text, "Whose: a phone number for SMS, else the channel's user id."),
        Input::required("channel", Kind::Known(CHANNELS), "In any letter case."),
        Input::optional("timeout", Kind::Timespan, "Then it goes on without a reply; a day when left out."),
    ],
    ..Shape::named("WaitForReply", "Waits for a message of a user: `step.reply`, null after the timeout.")
};
