//! `SMS` (spec 3.5.1).

use trunkline_connectors::eight_by_eight::send_sms;

use super::{Activity, Input, named_subaccount, not_sent, sent_message};

pub(super) async fn execute(input: Input<'_>) -> Activity {
    let members = input.members();
    let provider = match input.eight_by_eight(named_subaccount(&members).as_deref()).await {
        Ok(provider) => provider,
        Err(activity) => return activity,
    };
    if let Err(activity) = input.begin_effect().await {
        return activity;
    }
    match send_sms(&input.tools.providers, &provider, &members, input.key()).await {
        Ok(result) => {
            let state = result["status"].as_str().map(str::to_lowercase);
            let sent = sent_message(&result, Some("sms"), state);
            Activity::Sent { result, sent }
        }
        Err(failure) => not_sent(failure),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_without_an_id_leaves_nothing_to_be_matched() {
        assert!(sent_message(&json!({"umid": null}), Some("sms"), None).is_none());
        let sent = sent_message(&json!({"umid": "A1"}), None, Some("rejected".to_owned())).unwrap();
        assert_eq!((sent.id.as_str(), sent.state.as_str(), sent.rank), ("a1", "rejected", 3));
    }
}
