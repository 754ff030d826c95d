//! `SMS`: sends a text message (spec 3.5.1).

use super::Shape;

pub(super) const SHAPE: Shape =
    Shape { required: &["subAccountId", "destination", "text"], ..Shape::named("SMS") };
