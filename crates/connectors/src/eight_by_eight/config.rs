//! Where the platform is, and the key of the account that sends.
//!
//! [`Settings`] is what an operator writes down about a connector and may be shown to anybody of
//! the account; [`EightByEight`] is what comes out of it together with the key, ready to send.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where an account of the platform lives (spec 8.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Region {
    #[default]
    AsiaPacific,
    NorthAmerica,
    Europe,
    Indonesia,
}

impl Region {
    pub const ALL: [Self; 4] = [Self::AsiaPacific, Self::NorthAmerica, Self::Europe, Self::Indonesia];

    /// The region of that name, in any letter case.
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.trim();
        Self::ALL.into_iter().find(|region| region.as_str().eq_ignore_ascii_case(name))
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::AsiaPacific => "asia-pacific",
            Self::NorthAmerica => "north-america",
            Self::Europe => "europe",
            Self::Indonesia => "indonesia",
        }
    }

    pub fn sms_url(self) -> &'static str {
        match self {
            Self::AsiaPacific => "https://sms.8x8.com",
            Self::NorthAmerica => "https://sms.us.8x8.com",
            Self::Europe => "https://sms.8x8.uk",
            Self::Indonesia => "https://sms.8x8.id",
        }
    }

    pub fn chat_apps_url(self) -> &'static str {
        match self {
            Self::AsiaPacific => "https://chatapps.8x8.com",
            Self::NorthAmerica => "https://chatapps.us.8x8.com",
            Self::Europe => "https://chatapps.8x8.uk",
            Self::Indonesia => "https://chatapps.8x8.id",
        }
    }

    /// One host for all regions; no other one is known.
    pub fn voice_url(self) -> &'static str {
        "https://voice.8x8.com"
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which generation of the voice API is spoken (spec 8.4).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VoiceApi {
    /// The current one: a list of actions that begins with `makeCall`; key presses come as webhook.
    #[default]
    Callflows,
    /// The first one: a single action; key presses go to the `dtmfCallbackUrl` of the call.
    Calls,
}

impl VoiceApi {
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.trim();
        [Self::Callflows, Self::Calls].into_iter().find(|api| api.as_str().eq_ignore_ascii_case(name))
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Callflows => "callflows",
            Self::Calls => "calls",
        }
    }
}

/// What an operator says about a connector, besides its key. All of it may be left out; members
/// that are not known are ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    pub region: Region,
    /// Scheme and host, with a path in front if need be; stands in for the region's host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sms_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat_apps_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice_url: Option<String>,
    pub voice_api: VoiceApi,
}

impl Settings {
    /// Everything that a send needs.
    pub fn resolve(&self, api_key: String) -> EightByEight {
        EightByEight {
            sms_url: self.sms_url().to_owned(),
            chat_apps_url: self.chat_apps_url().to_owned(),
            voice_url: self.voice_url().to_owned(),
            voice_api: self.voice_api,
            api_key,
        }
    }

    pub fn sms_url(&self) -> &str {
        given_or(self.sms_url.as_deref(), self.region.sms_url())
    }

    pub fn chat_apps_url(&self) -> &str {
        given_or(self.chat_apps_url.as_deref(), self.region.chat_apps_url())
    }

    pub fn voice_url(&self) -> &str {
        let host = match self.voice_api {
            VoiceApi::Callflows => self.region.voice_url(),
            // It never moved from where it was before there were regions.
            VoiceApi::Calls => "https://voice.wavecell.com",
        };
        given_or(self.voice_url.as_deref(), host)
    }
}

/// Without the slash at its end: paths are appended to it.
fn given_or<'a>(given: Option<&'a str>, host: &'a str) -> &'a str {
    given.map(|url| url.trim().trim_end_matches('/')).filter(|url| !url.is_empty()).unwrap_or(host)
}

/// Where the platform is for one account, and that account's key.
#[derive(Clone, PartialEq, Eq)]
pub struct EightByEight {
    /// Scheme and host, with a path in front if need be: `https://sms.8x8.com`.
    pub sms_url: String,
    pub chat_apps_url: String,
    pub voice_url: String,
    pub voice_api: VoiceApi,
    pub api_key: String,
}

impl EightByEight {
    /// The value of the `Authorization` header.
    pub(super) fn authorization(&self) -> String {
        format!("Bearer {}", self.api_key)
    }
}

impl fmt::Debug for EightByEight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EightByEight")
            .field("sms_url", &self.sms_url)
            .field("chat_apps_url", &self.chat_apps_url)
            .field("voice_url", &self.voice_url)
            .field("voice_api", &self.voice_api)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Region, Settings, VoiceApi};

    #[test]
    fn every_region_has_its_hosts() {
        for (name, sms, chat_apps) in [
            ("asia-pacific", "https://sms.8x8.com", "https://chatapps.8x8.com"),
            ("north-america", "https://sms.us.8x8.com", "https://chatapps.us.8x8.com"),
            ("europe", "https://sms.8x8.uk", "https://chatapps.8x8.uk"),
            ("indonesia", "https://sms.8x8.id", "https://chatapps.8x8.id"),
        ] {
            let settings: Settings = serde_json::from_value(json!({"region": name})).unwrap();
            let platform = settings.resolve("k".to_owned());
            assert_eq!((platform.sms_url.as_str(), platform.chat_apps_url.as_str()), (sms, chat_apps));
            assert_eq!(platform.voice_url, "https://voice.8x8.com");
            assert_eq!(Region::parse(&name.to_uppercase()), Some(settings.region));
            assert_eq!(settings.region.to_string(), name);
        }
        assert_eq!(Region::parse("mars"), None);
    }

    #[test]
    fn without_settings_it_is_asia_pacific_and_callflows() {
        let settings: Settings = serde_json::from_value(json!({"somethingNew": 1})).unwrap();
        assert_eq!(settings, Settings::default());
        assert_eq!(settings.region, Region::AsiaPacific);
        let platform = settings.resolve("k".to_owned());
        assert_eq!((platform.voice_api, platform.api_key.as_str()), (VoiceApi::Callflows, "k"));
    }

    #[test]
    fn settings_are_written_as_they_are_read() {
        let written = json!({"region": "europe", "smsUrl": "https://a.example/sms/",
            "voiceUrl": "https://a.example/voice", "voiceApi": "calls"});
        let settings: Settings = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(serde_json::to_value(&settings).unwrap(), written);
        let platform = settings.resolve(String::new());
        assert_eq!(platform.sms_url, "https://a.example/sms");
        assert_eq!(platform.chat_apps_url, "https://chatapps.8x8.uk");
        assert_eq!(platform.voice_url, "https://a.example/voice");
        assert_eq!(platform.voice_api, VoiceApi::Calls);
    }

    #[test]
    fn a_url_that_is_blank_is_none() {
        let settings = Settings { sms_url: Some(" ".to_owned()), ..Settings::default() };
        assert_eq!(settings.sms_url(), "https://sms.8x8.com");
    }

    #[test]
    fn the_first_voice_api_has_the_host_that_it_always_had() {
        let settings = Settings { voice_api: VoiceApi::parse(" Calls ").unwrap(), ..Settings::default() };
        assert_eq!(settings.voice_url(), "https://voice.wavecell.com");
        assert_eq!(VoiceApi::parse("calling"), None);
    }

    #[test]
    fn the_key_is_not_in_the_debug_output() {
        let platform = Settings::default().resolve("k-1".to_owned());
        assert!(!format!("{platform:?}").contains("k-1"));
    }
}
