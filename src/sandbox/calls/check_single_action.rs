//! What the first voice API checks about a call (spec 8.4.5): one action, with everything in its
//! `params`.

use serde_json::{Map, Value};
use trunkline_connectors::eight_by_eight::VoiceApi;

use super::action::{
    Action, action_name, bad_voice, check_repetition, is_language, is_voice, read_capture, read_play_file,
    unknown_action,
};
use super::order::{Order, read_client_request_id, read_entries, read_numbers};
use super::params::Params;
use crate::sandbox::refusal::Invalid;
use crate::sandbox::request_body::is_url;

const ACTIONS: &str = "say,playFile,say&capture";

const PATH: &str = "$.callflow[0]";

pub(super) fn check_single_action(request: &Map<String, Value>) -> Result<Order, Invalid> {
    let client_request_id = read_client_request_id(request)?;
    let [entry] = read_entries(request)? else {
        return Err(Invalid::new(-1010, "Number of actions exceeds the maximum of 1"));
    };
    let name = action_name(entry, PATH)?;
    let params = Params::of(entry, PATH)?;
    let mut dtmf_callback_url = None;
    let action = match name {
        "say" => {
            let text = params.required_spoken("text")?.to_owned();
            check_voice(&params)?;
            Action::Say { text }
        }
        "playFile" => read_play_file(&params)?,
        "say&capture" | "sayAndCapture" => {
            let prompt = params.required_spoken("text")?.to_owned();
            check_voice(&params)?;
            params.spoken("endMessage")?;
            let url = params.text("dtmfCallbackUrl")?.filter(|url| is_url(url));
            let url = url.ok_or_else(|| Invalid::new(-1004, "DTMF callback URL is missing or invalid"))?;
            dtmf_callback_url = Some(url.to_owned());
            Action::SayAndCapture { prompt, capture: read_capture(&params, VoiceApi::Calls)? }
        }
        _ => return Err(unknown_action(PATH, ACTIONS)),
    };
    let (source, destination) = read_numbers(&params)?;
    Ok(Order {
        api: VoiceApi::Calls,
        source,
        destination,
        client_request_id,
        action: name.to_owned(),
        actions: vec![action],
        dtmf_callback_url,
        notes: Vec::new(),
    })
}

/// Here a language does where no voice is named.
fn check_voice(params: &Params<'_>) -> Result<(), Invalid> {
    let (voice, language) = (params.text("voiceProfile")?, params.text("language")?);
    let is_speech = voice.is_none_or(is_voice)
        && language.is_none_or(is_language)
        && (voice.is_some() || language.is_some());
    if !is_speech {
        return Err(bad_voice());
    }
    check_repetition(params)?;
    params.check_number("speed", &(0.5..=2.0))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::check_single_action;

    fn capture() -> Value {
        json!({"action": "say&capture", "params": {"source": "+6568000000", "destination": "+6590001111",
            "text": "Press 1 or 2", "language": "en-US", "voiceProfile": "en-US-BenjaminRUS", "repetition": 1,
            "speed": 1, "dtmfCallbackUrl": "https://a.example/dtmf?token=t", "minDigits": 1, "maxDigits": 1,
            "digitTimeout": 10000, "overallTimeout": 10000, "completeOnHash": true, "noOfTries": 1,
            "endMessage": null}})
    }

    #[test]
    fn each_mistake_has_the_code_of_the_platform() {
        for (name, value, code) in [
            ("source", json!(null), -1009),
            ("source", json!("ACME"), -1014),
            ("source", json!("private"), -1014),
            ("destination", json!(null), -1009),
            ("destination", json!("12"), -1017),
            ("destination", json!(["+6590001111", "+6590002222"]), -1011),
            ("text", json!(null), -1009),
            ("voiceProfile", json!("Zira"), -1002),
            ("dtmfCallbackUrl", json!(null), -1004),
            ("dtmfCallbackUrl", json!("nowhere"), -1004),
            ("maxDigits", json!(null), -1003),
            ("overallTimeout", json!(null), -1005),
            ("overallTimeout", json!(9999), -1006),
            ("repetition", json!(4), -1009),
        ] {
            let mut entry = capture();
            entry["params"][name] = value;
            let request = json!({"callflow": [entry]});
            let refused = check_single_action(request.as_object().unwrap()).unwrap_err();
            assert_eq!(refused.code, code, "{request}");
        }
        let file =
            json!({"action": "playFile", "params": {"source": "6568000000", "destination": "6590001111"}});
        for (callflow, code) in [
            (json!([]), -1009),
            (json!([{"action": "makeCall"}]), -1007),
            (json!([capture(), capture()]), -1010),
            (json!([file]), -1009),
        ] {
            let request = json!({"callflow": callflow});
            let refused = check_single_action(request.as_object().unwrap()).unwrap_err();
            assert_eq!(refused.code, code, "{request}");
        }
    }

    #[test]
    fn a_call_in_order_is_accepted() {
        let request = json!({"clientRequestId": "c-1", "callflow": [capture()]});
        let order = check_single_action(request.as_object().unwrap()).unwrap();
        assert_eq!(order.action, "say&capture");
        assert_eq!(order.dtmf_callback_url.as_deref(), Some("https://a.example/dtmf?token=t"));
        let say = json!({"action": "say", "params": {"source": "6568000000", "destination": "6590001111",
            "text": "Hello", "language": "en-GB"}});
        let request = json!({"callflow": [say]});
        assert!(check_single_action(request.as_object().unwrap()).is_ok());
    }
}
