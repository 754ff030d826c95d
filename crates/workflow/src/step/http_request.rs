//! `HttpRequest`: calls an endpoint of the author’s choice (spec 3.5.3).

use super::{Input, Kind, Shape};

const METHODS: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

pub(super) const SHAPE: Shape = Shape {
    inputs: &[
        Input::required("url", Kind::Text, "Where to: `http` or `https`."),
        Input::required("method", Kind::Known(METHODS), "In any letter case."),
        Input::optional("headers", Kind::Object(&[]), "Names and values."),
        Input::optional("parameters", Kind::Object(&[]), "Added to the query of the URL, encoded."),
        Input::optional("body", Kind::Any, "Sent as JSON."),
        Input::optional("timeoutSeconds", Kind::Integer, "1 to 120; 5 when left out."),
    ],
    ..Shape::named("HttpRequest", "Calls an HTTP endpoint. An answer of any status completes the step.")
};
