//! `VoiceMessage`: calls and says, plays or asks (spec 3.5.8).

use super::Shape;

pub(super) const SHAPE: Shape = Shape {
    required: &["action", "params"],
    choices: &[("action", &["say", "say&capture", "sayAndCapture", "playFile"])],
    ..Shape::named("VoiceMessage")
};
