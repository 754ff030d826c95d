//! `HttpRequest`: calls an endpoint of the author’s choice (spec 3.5.3).

use super::Shape;

pub(super) const SHAPE: Shape = Shape { required: &["url", "method"], ..Shape::named("HttpRequest") };
