//! `Wait`: pauses its path (spec 3.5.6).

use super::Shape;

pub(super) const SHAPE: Shape =
    Shape { required: &["duration"], timespans: &["duration"], ..Shape::named("Wait") };
