//! `Branch`: does nothing but route (spec 3.5.4).

use super::Shape;

pub(super) const SHAPE: Shape =
    Shape { must_route: true, ..Shape::named("Branch", "Does nothing but choose what comes next.") };
