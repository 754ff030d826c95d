//! `VoiceMessage`: calls and says, plays or asks (spec 3.5.8).

use super::{Input, Kind, Shape};

const ACTIONS: &[&str] = &["say", "say&capture", "sayAndCapture", "playFile"];

const PARAMS: &[Input] = &[
    Input::optional("source", Kind::Text, "The number that calls; it must be allowed for the account."),
    Input::optional("destination", Kind::Text, "The number that is called, with its country code."),
    Input::optional("text", Kind::Text, "`say`, `say&capture`: what is said, 3000 characters at most."),
    Input::optional("language", Kind::Text, "`say`, `say&capture`: the language of the text."),
    Input::optional("voiceProfile", Kind::Text, "`say`, `say&capture`: the voice, such as `en-US-ZiraRUS`."),
    Input::optional("repetition", Kind::Integer, "How often it is said or played, 1 to 3."),
    Input::optional("speed", Kind::Number, "`say`, `say&capture`: 0.5 to 2; 1 when left out."),
    Input::optional("fileUrl", Kind::Text, "`playFile`: an mp3 or wav file of 5 MB at most."),
    Input::optional("minDigits", Kind::Integer, "`say&capture`: how many keys at least."),
    Input::optional("maxDigits", Kind::Integer, "`say&capture`: how many keys at most."),
    Input::optional("digitTimeout", Kind::Integer, "`say&capture`: milliseconds between two keys."),
    Input::optional("overallTimeout", Kind::Integer, "`say&capture`: milliseconds for all of them."),
    Input::optional("completeOnHash", Kind::Boolean, "`say&capture`: whether `#` ends the input."),
    Input::optional("noOfTries", Kind::Integer, "`say&capture`: how often it is asked."),
    Input::optional("endMessage", Kind::Text, "`say&capture`: what is said at the end."),
    Input::optional("dtmfCallbackUrl", Kind::Text, "`say&capture`: where the platform sends the keys."),
];

pub(super) const SHAPE: Shape = Shape {
    inputs: &[
        Input::optional(
            "subAccountId",
            Kind::Text,
            "The voice subaccount; the instance's own when left out.",
        ),
        Input::optional("clientRequestId", Kind::Text, "An id for `WaitForDTMF` to name: `{{uuid()}}`."),
        Input::required("action", Kind::Choice(ACTIONS), "What the call does."),
        Input::required("params", Kind::Object(PARAMS), "How; what it needs depends on the action."),
    ],
    ..Shape::named("VoiceMessage", "Calls somebody, and says or plays something or asks for keys.")
};
