//! `WaitForDTMF`: parks its path until keys are pressed or the time is over (spec 3.5.9).

use super::Shape;

pub(super) const SHAPE: Shape = Shape { timespans: &["timeout"], ..Shape::named("WaitForDTMF") };
