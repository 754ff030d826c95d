//! The keys by which a waiting step and what comes in find each other (spec 6.5 and 7.7).

use uuid::Uuid;

pub use trunkline_workflow::identity::normalise_identity;

/// The key of "this user on this channel". A wait is registered under it and an event is looked
/// up by it; both sides come through here, so equal users have equal keys.
///
/// The account is not part of it: a lookup is always within one account. Nor is the subaccount,
/// because replies match across subaccounts (spec 6.5, U-20).
pub fn reply_key(channel: &str, identity: &str) -> String {
    format!("{}:{}", channel.trim().to_lowercase(), normalise_identity(identity))
}

/// The key of "keys pressed in this call", by either of the call's ids: the platform's or the
/// `clientRequestId` of whoever placed it.
pub fn dtmf_key(id: &str) -> String {
    format!("dtmf:{}", normalise_id(id))
}

/// The key of "what became of this message or call", by the platform's id of it.
pub fn receipt_key(umid: &str) -> String {
    format!("receipt:{}", normalise_id(umid))
}

/// UUIDs are compared by their digits, whatever their case and with or without hyphens; everything
/// else exactly, but for the space around it, which expressions leave there.
fn normalise_id(id: &str) -> String {
    let trimmed = id.trim();
    // The parser knows more ways to write a UUID, which nobody uses for a call.
    let is_plain = matches!(trimmed.len(), 32 | 36);
    match Uuid::try_parse(trimmed) {
        Ok(uuid) if is_plain => uuid.as_simple().to_string(),
        _ => trimmed.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{dtmf_key, normalise_identity, receipt_key, reply_key};

    #[test]
    fn c_172_a_number_matches_with_and_without_its_plus_both_ways() {
        assert_eq!(reply_key("sms", "+6590001111"), reply_key("sms", "6590001111"));
        for spelling in [
            "+65 9000 1111",
            "006590001111",
            "65-9000-1111",
            "+65 (9000) 1111",
            "  6590001111 ",
            "+006590001111",
        ] {
            assert_eq!(normalise_identity(spelling), "6590001111", "{spelling}");
        }
    }

    #[test]
    fn c_173_the_channel_is_compared_without_its_case() {
        assert_eq!(reply_key("WhatsApp", "1"), reply_key("whatsapp", "1"));
        assert_eq!(reply_key("RCS", "1"), reply_key("rcs", "1"));
    }

    #[test]
    fn c_174_the_same_user_on_another_channel_has_another_key() {
        assert_ne!(reply_key("sms", "+6590001111"), reply_key("whatsapp", "+6590001111"));
    }

    #[test]
    fn ids_that_are_not_numbers_are_compared_exactly() {
        for id in
            ["SG.90817263544536271", "U4af4980629b1cde", "u4af", "65.9000", "65+9000", "six", "", "+", "00"]
        {
            assert_eq!(normalise_identity(id), id);
        }
        assert_ne!(reply_key("whatsapp", "SG.aB1"), reply_key("whatsapp", "SG.ab1"));
    }

    #[test]
    fn uuids_are_one_id_in_either_case_and_without_their_hyphens() {
        let expected = "dtmf:3c0e9b5211d211f19a440b7c5d1e2f30";
        for id in [
            "3C0E9B52-11D2-11F1-9A44-0B7C5D1E2F30",
            "3c0e9b52-11d2-11f1-9a44-0b7c5d1e2f30",
            "3C0E9B5211D211F19A440B7C5D1E2F30",
            " 3c0e9b52-11d2-11f1-9a44-0b7c5d1e2f30 ",
        ] {
            assert_eq!(dtmf_key(id), expected);
        }
        assert_eq!(
            receipt_key("3C0E9B5211D211F19A440B7C5D1E2F30"),
            "receipt:3c0e9b5211d211f19a440b7c5d1e2f30"
        );
    }

    #[test]
    fn ids_that_are_no_uuids_are_compared_exactly() {
        for id in
            ["order-7", "Order-7", "order 7", "", "{3c0e9b52-11d2-11f1-9a44-0b7c5d1e2f30}", "6590001111"]
        {
            assert_eq!(dtmf_key(id), format!("dtmf:{id}"));
        }
    }

    #[test]
    fn the_space_around_an_id_is_no_part_of_it() {
        assert_eq!(dtmf_key(" order-7\n"), dtmf_key("order-7"));
        assert_eq!(receipt_key("\tm-1 "), receipt_key("m-1"));
        assert_ne!(dtmf_key("order 7"), dtmf_key("order7"));
    }

    #[test]
    fn normalising_twice_changes_nothing() {
        for id in ["+65 9000", "0000065", "00", "000", "SG.1", " x ", "00 00 12", "+00"] {
            let once = normalise_identity(id);
            assert_eq!(normalise_identity(&once), once, "{id}");
        }
    }
}
