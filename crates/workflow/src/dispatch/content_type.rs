//! What a message can consist of, and which channel takes what (Dispatch 4.4).

use super::channel::Channel;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContentType {
    Text,
    Image,
    Audio,
    Video,
    File,
    Template,
    Custom,
}

impl ContentType {
    pub(super) const ALL: [Self; 7] =
        [Self::Text, Self::Image, Self::Audio, Self::Video, Self::File, Self::Template, Self::Custom];

    /// As in `content.type`, and as the member beside it is called.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Image => "image",
            Self::Audio => "audio",
            Self::Video => "video",
            Self::File => "file",
            Self::Template => "template",
            Self::Custom => "custom",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    pub(super) fn accepted_on(channel: Channel) -> &'static [Self] {
        match channel {
            Channel::Sms => &[Self::Text],
            Channel::Mms => &[Self::Text, Self::Image],
            Channel::ViberServiceMsg => &[Self::Text, Self::Image, Self::Template, Self::Custom],
            Channel::Messenger => {
                &[Self::Text, Self::Image, Self::Audio, Self::Video, Self::File, Self::Custom]
            }
            Channel::Whatsapp => &Self::ALL,
        }
    }

    /// Elsewhere a caption means nothing and is not looked at.
    pub(super) fn has_caption(self, channel: Channel) -> bool {
        matches!(self, Self::Image | Self::File) && matches!(channel, Channel::Whatsapp | Channel::Mms)
    }
}
