//! `WaitForReply`: parks its path until a message comes in or the time is over (spec 3.5.7).

use super::Shape;

pub(super) const SHAPE: Shape =
    Shape { required: &["from", "channel"], timespans: &["timeout"], ..Shape::named("WaitForReply") };
