//! `ChatAppsMessage`: sends through WhatsApp, Viber, RCS, LINE, … (spec 3.5.2).

use super::Shape;

pub(super) const SHAPE: Shape =
    Shape { required: &["subAccountId", "user", "type", "content"], ..Shape::named("ChatAppsMessage") };
