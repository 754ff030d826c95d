//! How the webhook of a chat message names the user (spec 7.3).
//!
//! | channel | version 2 | version 3 |
//! | --- | --- | --- |
//! | WhatsApp | the number, and its digits as `channelUserId` | the number, and an id that only this business knows |
//! | Viber, RCS, SMS | likewise | the number alone |
//! | any other | likewise | the app's own id, and a number only if there is one besides |
//!
//! In version 2 an id that is no number is the `channelUserId` as it is.

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use trunkline_connectors::correlation::normalise_identity;

use super::country_of::country_of;
use super::refusal::Invalid;
use super::request_body::{INVALID_PARAMETER, is_phone_number, required_text, text};

/// What a user of no known country has in front of his id.
const UNKNOWN_COUNTRY: &str = "ZZ";

/// The generation of the webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// Not named in the body.
    Two,
    Three,
}

/// Reads `from`, `msisdn`, `name` and `version`. Without a version a number is named as version 2
/// does and any other id as version 3 does.
pub(super) fn name_chat_user(
    request: &Map<String, Value>,
    channel: &str,
) -> Result<(Version, Map<String, Value>), Invalid> {
    let from = required_text(request, "from")?;
    let digits = Some(normalise_identity(from)).filter(|digits| is_phone_number(digits, false));
    let version = match request.get("version").filter(|version| !version.is_null()) {
        None if digits.is_some() => Version::Two,
        None => Version::Three,
        Some(version) if *version == 2 => Version::Two,
        Some(version) if *version == 3 => Version::Three,
        Some(_) => return Err(Invalid::new(INVALID_PARAMETER, "Invalid version.")),
    };
    let besides = text(request, "msisdn")?.filter(|number| !number.trim().is_empty()).map(str::to_owned);
    let number = digits.as_ref().map(|digits| format!("+{digits}")).or(besides.clone());
    let (msisdn, channel_user_id) = match (version, channel.to_ascii_lowercase().as_str()) {
        (Version::Two, _) => (number, Some(digits.unwrap_or_else(|| from.to_owned()))),
        (Version::Three, "whatsapp") => {
            (number, Some(digits.map_or_else(|| from.to_owned(), |digits| business_scoped_id(&digits))))
        }
        (Version::Three, "viber" | "rcs" | "sms") => {
            let message = format!("Invalid from. Users of {channel} are known by their number.");
            (Some(number.ok_or_else(|| Invalid::new(INVALID_PARAMETER, message))?), None)
        }
        (Version::Three, _) => (besides, Some(from.to_owned())),
    };
    let members = [
        ("msisdn", msisdn),
        ("channelUserId", channel_user_id),
        ("name", text(request, "name")?.map(str::to_owned)),
    ];
    let user = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
    Ok((version, user.collect()))
}

/// The same for every message of a user, and nothing from which his number could be told.
fn business_scoped_id(digits: &str) -> String {
    /// As long as those of the platform.
    const LARGEST: u64 = 10_u64.pow(17);
    let country = country_of(digits).unwrap_or_else(|| UNKNOWN_COUNTRY.to_owned());
    let digest = Sha256::digest(digits);
    let (first, _) = digest.split_first_chunk().expect("a digest has 32 bytes");
    format!("{country}.{:017}", u64::from_be_bytes(*first) % LARGEST)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Version, name_chat_user};

    fn name(request: &Value, channel: &str) -> Result<(Version, Value), String> {
        name_chat_user(request.as_object().unwrap(), channel)
            .map(|(version, user)| (version, Value::Object(user)))
            .map_err(|invalid| invalid.message)
    }

    #[test]
    fn without_a_version_the_id_decides() {
        let digits = json!({"msisdn": "+6590001111", "channelUserId": "6590001111"});
        for channel in ["whatsapp", "viber", "RCS", "line"] {
            assert_eq!(name(&json!({"from": "+65 9000 1111"}), channel), Ok((Version::Two, digits.clone())));
        }
        let id = json!({"channelUserId": "SG.9"});
        assert_eq!(name(&json!({"from": "SG.9"}), "whatsapp"), Ok((Version::Three, id)));
    }

    #[test]
    fn version_2_names_everybody_by_the_id_that_there_is() {
        for (request, user) in [
            (
                json!({"from": "+6590001111", "version": 2, "name": "Mei"}),
                json!({"msisdn": "+6590001111", "channelUserId": "6590001111", "name": "Mei"}),
            ),
            (
                json!({"from": "SG.9", "msisdn": "+6590001111", "version": 2}),
                json!({"msisdn": "+6590001111", "channelUserId": "SG.9"}),
            ),
        ] {
            assert_eq!(name(&request, "whatsapp"), Ok((Version::Two, user)));
        }
    }

    #[test]
    fn version_3_gives_users_of_whatsapp_an_id_without_their_number() {
        let id = |from: &str| {
            let (version, user) = name(&json!({"from": from, "version": 3}), "WhatsApp").unwrap();
            assert_eq!(version, Version::Three);
            assert_eq!(user["msisdn"], format!("+{}", from.trim_start_matches('+')));
            user["channelUserId"].as_str().unwrap().to_owned()
        };
        let mei = id("+6590001111");
        let (country, digits) = mei.split_once('.').unwrap();
        assert_eq!((country, digits.len()), ("SG", 17));
        assert!(digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.contains("90001111"), "{mei}");
        assert_eq!(id("6590001111"), mei);
        assert_ne!(id("+6590001112"), mei);
        assert!(id("+84912345678").starts_with("VN."));
        assert!(id("+9990001111").starts_with("ZZ."));
    }

    #[test]
    fn version_3_leaves_out_what_a_channel_does_not_have() {
        let number = json!({"msisdn": "+6590001111"});
        for channel in ["viber", "Viber", "RCS", "rcs", "sms"] {
            for request in [
                json!({"from": "6590001111", "version": 3}),
                json!({"from": "SG.9", "msisdn": "+6590001111"}),
            ] {
                assert_eq!(name(&request, channel), Ok((Version::Three, number.clone())), "{channel}");
            }
            let refused = name(&json!({"from": "SG.9"}), channel).unwrap_err();
            assert_eq!(refused, format!("Invalid from. Users of {channel} are known by their number."));
        }
        let line = json!({"channelUserId": "6590001111"});
        assert_eq!(
            name(&json!({"from": "6590001111", "version": 3}), "line"),
            Ok((Version::Three, line)),
            "an id of the app that looks like a number is none"
        );
    }

    #[test]
    fn there_are_two_versions() {
        for version in [json!(1), json!(4), json!("3"), json!(true)] {
            let request = json!({"from": "6590001111", "version": version});
            assert_eq!(name(&request, "whatsapp"), Err("Invalid version.".to_owned()));
        }
    }
}
