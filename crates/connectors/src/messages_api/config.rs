//! Where the Messages API is, and who we are to it.
//!
//! [`MessagesApiSettings`] is what an operator writes down about a connector and may be shown to
//! anybody of the account; [`MessagesApi`] is what comes out of it together with the secret, ready
//! to send.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::json_web_token::{PrivateKey, PrivateKeyFault};
use crate::eight_by_eight::is_sub_account_id;

const HOST: &str = "https://api.nexmo.com";

/// How long a token of ours is good for, in seconds; what the platform assumes of one that does not
/// say (spec 3.2).
const TOKEN_LIFETIME: i64 = 900;

/// Which generation of the API is spoken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Version {
    /// The one that dispatches were made for: `from`, `to` and `message` are objects.
    #[default]
    #[serde(rename = "v0.1")]
    V0_1,
    /// The flat one.
    #[serde(rename = "v1")]
    V1,
}

impl Version {
    /// The version of that name, in any letter case.
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.trim();
        [Self::V0_1, Self::V1].into_iter().find(|version| version.as_str().eq_ignore_ascii_case(name))
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::V0_1 => "v0.1",
            Self::V1 => "v1",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whose API sends the messages of channel `sms`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SmsRoute {
    #[default]
    #[serde(rename = "messages-api")]
    MessagesApi,
    /// The SMS API of the account's other connector.
    #[serde(rename = "8x8")]
    EightByEight,
}

impl SmsRoute {
    pub const ALL: [Self; 2] = [Self::MessagesApi, Self::EightByEight];

    /// The route of that name, in any letter case.
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.trim();
        Self::ALL.into_iter().find(|route| route.as_str().eq_ignore_ascii_case(name))
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::MessagesApi => "messages-api",
            Self::EightByEight => "8x8",
        }
    }
}

/// How we say who we are; the secret that belongs to it is kept apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum Auth {
    /// The secret is the API secret.
    Basic { api_key: String },
    /// The secret is the application's private key, RSA, in PEM.
    Jwt { application_id: String },
}

/// What an operator says about a connector, besides its secret. Members that are not known are
/// ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessagesApiSettings {
    /// Scheme and host, with a path in front if need be; stands in for the platform's host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    #[serde(default)]
    pub version: Version,
    pub auth: Auth,
    #[serde(default)]
    pub sms: SmsRoute,
    /// Of the other connector, in whose name SMS are sent there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sms_sub_account_id: Option<String>,
}

/// Settings and a secret that do not go together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("the API key is empty")]
    NoApiKey,
    #[error("the API key `{0}` holds a colon, which ends a key in Basic authorization")]
    ColonInApiKey(String),
    #[error("the application id is empty")]
    NoApplicationId,
    #[error("the API secret is empty")]
    NoSecret,
    #[error("the private key cannot be used")]
    PrivateKey(#[from] PrivateKeyFault),
    #[error("there is no subaccount in whose name SMS are sent by 8x8")]
    NoSmsSubAccount,
    #[error("`{0}` is no subaccount of 8x8")]
    BadSmsSubAccount(String),
}

impl MessagesApiSettings {
    /// Everything that a send needs.
    pub fn resolve(&self, secret: &str) -> Result<MessagesApi, ConfigError> {
        let credentials = match &self.auth {
            Auth::Basic { api_key } => {
                let (api_key, secret) = (api_key.trim(), secret.trim());
                if api_key.is_empty() {
                    return Err(ConfigError::NoApiKey);
                }
                if api_key.contains(':') {
                    return Err(ConfigError::ColonInApiKey(api_key.to_owned()));
                }
                if secret.is_empty() {
                    return Err(ConfigError::NoSecret);
                }
                Credentials::Basic { encoded: STANDARD.encode(format!("{api_key}:{secret}")) }
            }
            Auth::Jwt { application_id } => {
                let application_id = application_id.trim();
                if application_id.is_empty() {
                    return Err(ConfigError::NoApplicationId);
                }
                let key = PrivateKey::from_pem(secret)?;
                Credentials::Jwt { application_id: application_id.to_owned(), key }
            }
        };
        let sms_sub_account = self.sms_sub_account()?.map(str::to_owned);
        let base_url = self.base_url().to_owned();
        Ok(MessagesApi { base_url, version: self.version, credentials, sms_sub_account })
    }

    fn sms_sub_account(&self) -> Result<Option<&str>, ConfigError> {
        match (self.sms, self.sms_sub_account_id.as_deref().map(str::trim)) {
            (SmsRoute::MessagesApi, _) => Ok(None),
            (SmsRoute::EightByEight, None | Some("")) => Err(ConfigError::NoSmsSubAccount),
            (SmsRoute::EightByEight, Some(id)) if is_sub_account_id(id) => Ok(Some(id)),
            (SmsRoute::EightByEight, Some(id)) => Err(ConfigError::BadSmsSubAccount(id.to_owned())),
        }
    }

    /// Without the slash at its end: paths are appended to it.
    pub fn base_url(&self) -> &str {
        let given = self.base_url.as_deref().map(|url| url.trim().trim_end_matches('/'));
        given.filter(|url| !url.is_empty()).unwrap_or(HOST)
    }
}

/// Where the API is for one account, and how that account is known there. Its `Debug` shows neither
/// secret nor key.
#[derive(Clone)]
pub struct MessagesApi {
    base_url: String,
    version: Version,
    credentials: Credentials,
    sms_sub_account: Option<String>,
}

#[derive(Clone)]
enum Credentials {
    Basic { encoded: String },
    Jwt { application_id: String, key: PrivateKey },
}

#[derive(Serialize)]
struct Claims<'a> {
    application_id: &'a str,
    iat: i64,
    jti: Uuid,
    exp: i64,
}

impl MessagesApi {
    pub fn version(&self) -> Version {
        self.version
    }

    /// The subaccount of 8x8 in whose name SMS are sent there, and not by this API.
    pub fn sms_sub_account(&self) -> Option<&str> {
        self.sms_sub_account.as_deref()
    }

    /// Where messages are posted to.
    pub fn messages_url(&self) -> String {
        format!("{}/{}/messages", self.base_url, self.version)
    }

    /// The value of the `Authorization` header of a request that is sent now. A token is signed for
    /// it, which takes a few milliseconds; `jti` is its id, to be used once.
    pub fn authorization(&self, now: DateTime<Utc>, jti: Uuid) -> Result<String, PrivateKeyFault> {
        match &self.credentials {
            Credentials::Basic { encoded } => Ok(format!("Basic {encoded}")),
            Credentials::Jwt { application_id, key } => {
                let iat = now.timestamp();
                let token = key.sign(&Claims { application_id, iat, jti, exp: iat + TOKEN_LIFETIME })?;
                Ok(format!("Bearer {token}"))
            }
        }
    }
}

impl fmt::Debug for MessagesApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessagesApi")
            .field("base_url", &self.base_url)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::{Auth, ConfigError, MessagesApiSettings, SmsRoute, Version};
    use crate::messages_api::json_web_token::PrivateKeyFault;
    use crate::messages_api::read_timestamp::read_timestamp;

    const KEY: &str = include_str!("test_keys/rsa_pkcs8.pem");

    fn settings(auth: Auth) -> MessagesApiSettings {
        MessagesApiSettings {
            base_url: None,
            version: Version::V0_1,
            auth,
            sms: SmsRoute::MessagesApi,
            sms_sub_account_id: None,
        }
    }

    fn basic(api_key: &str) -> MessagesApiSettings {
        settings(Auth::Basic { api_key: api_key.to_owned() })
    }

    fn jwt(application_id: &str) -> MessagesApiSettings {
        settings(Auth::Jwt { application_id: application_id.to_owned() })
    }

    fn by_eight_by_eight(sub_account: Option<&str>) -> MessagesApiSettings {
        let sms_sub_account_id = sub_account.map(str::to_owned);
        MessagesApiSettings { sms: SmsRoute::EightByEight, sms_sub_account_id, ..basic("k") }
    }

    #[test]
    fn a_route_is_named_as_it_is_written() {
        for route in SmsRoute::ALL {
            assert_eq!(serde_json::to_value(route).unwrap(), route.as_str());
            assert_eq!(SmsRoute::parse(&route.as_str().to_uppercase()), Some(route));
        }
        assert_eq!(SmsRoute::parse("fax"), None);
    }

    #[test]
    fn only_who_we_are_must_be_said() {
        let written = json!({"auth": {"type": "basic", "apiKey": "abcd1234"}, "somethingNew": 1});
        let read: MessagesApiSettings = serde_json::from_value(written).unwrap();
        assert_eq!(read, basic("abcd1234"));
        let api = read.resolve("s-1").unwrap();
        assert_eq!(api.messages_url(), "https://api.nexmo.com/v0.1/messages");
        assert!(serde_json::from_value::<MessagesApiSettings>(json!({})).is_err());
    }

    #[test]
    fn settings_are_written_as_they_are_read() {
        let written = json!({"baseUrl": "https://a.example/api/", "version": "v1",
            "auth": {"type": "jwt", "applicationId": "app-1"}, "sms": "8x8",
            "smsSubAccountId": "acme_sms"});
        let settings: MessagesApiSettings = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(serde_json::to_value(&settings).unwrap(), written);
        assert_eq!(settings.sms, SmsRoute::EightByEight);
        let api = settings.resolve(KEY).unwrap();
        assert_eq!(api.messages_url(), "https://a.example/api/v1/messages");
        assert_eq!(api.sms_sub_account(), Some("acme_sms"));
        let own = MessagesApiSettings { sms: SmsRoute::MessagesApi, ..settings };
        assert_eq!(own.resolve(KEY).unwrap().sms_sub_account(), None);
    }

    #[test]
    fn a_url_that_is_blank_is_none_and_a_version_has_a_name() {
        let blank = MessagesApiSettings { base_url: Some(" ".to_owned()), ..basic("k") };
        assert_eq!(blank.base_url(), "https://api.nexmo.com");
        assert_eq!(Version::parse(" V0.1 "), Some(Version::V0_1));
        assert_eq!(Version::parse("v1"), Some(Version::V1));
        assert_eq!(Version::parse("v2"), None);
    }

    #[test]
    fn what_cannot_be_sent_with_is_said_at_once() {
        for (settings, secret, error) in [
            (basic(" "), "s", ConfigError::NoApiKey),
            (basic("a:b"), "s", ConfigError::ColonInApiKey("a:b".to_owned())),
            (basic("k"), " ", ConfigError::NoSecret),
            (jwt(""), KEY, ConfigError::NoApplicationId),
            (jwt("app-1"), "s-1", ConfigError::PrivateKey(PrivateKeyFault::NotPem)),
            (by_eight_by_eight(None), "s", ConfigError::NoSmsSubAccount),
            (by_eight_by_eight(Some(" ")), "s", ConfigError::NoSmsSubAccount),
            (by_eight_by_eight(Some("a/b")), "s", ConfigError::BadSmsSubAccount("a/b".to_owned())),
        ] {
            assert_eq!(settings.resolve(secret).unwrap_err(), error);
        }
    }

    #[test]
    fn secrets_are_not_in_the_debug_output() {
        let now = read_timestamp("2024-05-04T10:11:12Z").unwrap();
        let api = basic("abcd1234").resolve("s-1").unwrap();
        assert_eq!(api.authorization(now, Uuid::nil()).unwrap(), "Basic YWJjZDEyMzQ6cy0x");
        assert!(!format!("{api:?}").contains("YWJjZDEyMzQ6cy0x"));
        let shown = format!("{:?}", jwt("app-1").resolve(KEY).unwrap());
        assert_eq!(shown, "MessagesApi { base_url: \"https://api.nexmo.com\", version: V0_1, .. }");
    }
}
