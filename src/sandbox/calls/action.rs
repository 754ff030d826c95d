//! What is done in a call once it is answered, and what the platform checks about it (spec 8.4.1).

use serde_json::Value;
use trunkline_connectors::eight_by_eight::VoiceApi;

use super::params::{Params, bad_entry};
use crate::sandbox::refusal::Invalid;
use crate::sandbox::request_body::is_url;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    Say { text: String },
    PlayFile { file_url: String },
    SayAndCapture { prompt: String, capture: Capture },
    Hangup,
}

/// When a capture is done, and how often it is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Capture {
    pub(super) min_digits: usize,
    pub(super) max_digits: Option<usize>,
    /// A `#` ends the digits and is none of them.
    pub(super) complete_on_hash: bool,
    pub(super) tries: u64,
}

impl Action {
    /// As session summaries spell it.
    pub(super) fn summary_name(&self) -> &'static str {
        match self {
            Self::Say { .. } => "SAY",
            Self::PlayFile { .. } => "PLAY_FILE",
            Self::SayAndCapture { .. } => "SAY_AND_CAPTURE",
            Self::Hangup => "HANGUP",
        }
    }

    /// As callflows spell it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Say { .. } => "say",
            Self::PlayFile { .. } => "playFile",
            Self::SayAndCapture { .. } => "sayAndCapture",
            Self::Hangup => "hangup",
        }
    }
}

/// `action` of an entry.
pub(super) fn action_name<'a>(entry: &'a Value, path: &str) -> Result<&'a str, Invalid> {
    if !entry.is_object() {
        return Err(bad_entry(path, "is not an object"));
    }
    let name = entry.get("action").filter(|name| !name.is_null());
    let name = name.ok_or_else(|| bad_entry(&format!("{path}.action"), "is missing but it is required"))?;
    name.as_str().ok_or_else(|| bad_entry(&format!("{path}.action"), "is not a string"))
}

pub(super) fn unknown_action(path: &str, known: &str) -> Invalid {
    Invalid::new(-1007, format!("{path}.action should be one of: {known}"))
}

/// An entry of a callflow that is no `makeCall`; `None` for an action that there is not.
pub(super) fn read_action(entry: &Value, path: &str) -> Result<Option<Action>, Invalid> {
    let name = action_name(entry, path)?;
    let params = Params::of(entry, path)?;
    Ok(Some(match name {
        "say" => read_say(&params)?,
        "playFile" => read_play_file(&params)?,
        "sayAndCapture" => {
            let prompt = params.required_spoken("promptMessage")?.to_owned();
            check_voice(&params)?;
            params.spoken("successMessage")?;
            params.spoken("failureMessage")?;
            Action::SayAndCapture { prompt, capture: read_capture(&params, VoiceApi::Callflows)? }
        }
        "hangup" => Action::Hangup,
        _ => return Ok(None),
    }))
}

pub(super) fn read_say(params: &Params<'_>) -> Result<Action, Invalid> {
    let text = params.required_spoken("text")?.to_owned();
    check_voice(params)?;
    check_repetition(params)?;
    Ok(Action::Say { text })
}

pub(super) fn read_play_file(params: &Params<'_>) -> Result<Action, Invalid> {
    let file_url = params.required_text("fileUrl")?;
    if !is_url(file_url) {
        return Err(params.bad("fileUrl", "is not an http or https URL"));
    }
    check_repetition(params)?;
    Ok(Action::PlayFile { file_url: file_url.to_owned() })
}

/// The rules between the members of a capture. The first API takes two timeouts that are equal.
pub(super) fn read_capture(params: &Params<'_>, api: VoiceApi) -> Result<Capture, Invalid> {
    let min_digits = params.whole("minDigits", 1..=u64::MAX)?;
    let max_digits = params.whole("maxDigits", 1..=25)?;
    if min_digits.is_some_and(|least| max_digits.is_none_or(|most| most < least)) {
        return Err(Invalid::new(-1003, "Valid maxDigits required when minDigits provided"));
    }
    let digit_timeout = params.whole("digitTimeout", 1..=u64::MAX)?;
    let overall_timeout = params.whole("overallTimeout", 1..=u64::MAX)?;
    if let Some(digit_timeout) = digit_timeout {
        let Some(overall_timeout) = overall_timeout else {
            return Err(Invalid::new(-1005, "Valid overallTimeout is required when digitTimeout provided"));
        };
        let is_longer = match api {
            VoiceApi::Callflows => overall_timeout > digit_timeout,
            VoiceApi::Calls => overall_timeout >= digit_timeout,
        };
        if !is_longer {
            return Err(Invalid::new(-1006, "overallTimeout must be greater than digitTimeout"));
        }
    }
    let complete_on_hash = params.flag("completeOnHash")?;
    if complete_on_hash == Some(false) && max_digits.is_none() {
        return Err(Invalid::new(-1008, "Valid maxDigits is required when completeOnHash is false"));
    }
    let tries = params.whole("noOfTries", 1..=u64::MAX)?;
    let count = |digits: u64| usize::try_from(digits).unwrap_or(usize::MAX);
    Ok(Capture {
        min_digits: min_digits.map_or(1, count),
        max_digits: max_digits.map(count),
        complete_on_hash: complete_on_hash.unwrap_or(true),
        tries: tries.unwrap_or(1),
    })
}

/// A voice is named like `en-US-ZiraRUS`, a language like `en` or `en-US`.
pub(super) fn check_voice(params: &Params<'_>) -> Result<(), Invalid> {
    let voice = params.required_text("voiceProfile")?;
    if !is_voice(voice) || params.text("language")?.is_some_and(|language| !is_language(language)) {
        return Err(bad_voice());
    }
    params.check_number("speed", &(0.5..=2.0))
}

pub(super) fn bad_voice() -> Invalid {
    Invalid::new(-1002, "Speech profile or language parameter invalid")
}

pub(super) fn is_voice(text: &str) -> bool {
    match text.rsplit_once('-') {
        Some((language, speaker)) => {
            language.contains('-')
                && is_language(language)
                && !speaker.is_empty()
                && speaker.bytes().all(|byte| byte.is_ascii_alphanumeric())
        }
        None => false,
    }
}

pub(super) fn is_language(text: &str) -> bool {
    let mut parts = text.split('-');
    let is_alphabetic = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphabetic());
    parts.next().is_some_and(|part| (2..=3).contains(&part.len()) && is_alphabetic(part))
        && parts.all(|part| {
            (2..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
}

pub(super) fn check_repetition(params: &Params<'_>) -> Result<(), Invalid> {
    params.whole("repetition", 1..=3).map(|_| ())
}
