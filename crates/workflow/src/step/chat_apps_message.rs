//! `ChatAppsMessage`: sends through WhatsApp, Viber, RCS, LINE, … (spec 3.5.2).

use super::{Input, Kind, Shape};

const USER: &[Input] = &[
    Input::optional("msisdn", Kind::Text, "The phone number."),
    Input::optional("channelUserId", Kind::Text, "The id by which the channel knows the user."),
    Input::optional("lineUserId", Kind::Text, "The id by which LINE knows the user."),
    Input::optional("country", Kind::Text, "Two letters (ISO 3166), for a number in national form."),
];

const CONTENT: &[Input] = &[
    Input::optional("text", Kind::Text, "Of type `text`: the message."),
    Input::optional("url", Kind::Text, "Of media: where they are."),
    Input::optional("fallbackText", Kind::Text, "For users whose app cannot show the rest."),
    Input::optional("template", Kind::Object(&[]), "Of type `template`: its name, language and parts."),
    Input::optional("interactive", Kind::Object(&[]), "Of type `interactive`: buttons or a list."),
    Input::optional("location", Kind::Object(&[]), "Of type `location`."),
    Input::optional("sms", Kind::Object(&[]), "The SMS that is sent when the channel cannot deliver."),
];

const TYPES: &[&str] = &[
    "text",
    "image",
    "audio",
    "video",
    "file",
    "location",
    "interactive",
    "template",
    "carousel",
    "richCard",
];

pub(super) const SHAPE: Shape = Shape {
    inputs: &[
        Input::required("subAccountId", Kind::Text, "The subaccount that sends."),
        Input::required("user", Kind::Object(USER), "Who gets it: one of the ids."),
        Input::required("type", Kind::Known(TYPES), "What the content is."),
        Input::required("content", Kind::Object(CONTENT), "The message; what it needs depends on the type."),
        Input::optional("clientMessageId", Kind::Text, "An id of your own, 50 characters at most."),
        Input::optional("channels", Kind::Any, "The channels to try, in their order."),
        Input::optional("scheduled", Kind::Text, "When to send (ISO 8601)."),
        Input::optional("expiry", Kind::Text, "When sending is given up (ISO 8601)."),
        Input::optional("dlrCallbackUrl", Kind::Text, "Where the platform sends delivery receipts."),
        Input::optional("context", Kind::Object(&[]), "The message that this one answers."),
    ],
    ..Shape::named("ChatAppsMessage", "Sends through WhatsApp, Viber, RCS, LINE and other chat apps.")
};
