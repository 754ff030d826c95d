//! Reads what the webhook answered to `ACTION_COMPLETED`: how the call goes on (spec 7.6.2).

use serde_json::Value;
use trunkline_connectors::outbound::OutboundResponse;

use super::action::{Action, action_name, read_action};

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// `None` when there is nothing to go on with: the session ends with an error.
    pub(super) actions: Option<Vec<Action>>,
    pub(super) client_action_id: Option<String>,
    /// What was not understood.
    pub(super) notes: Vec<String>,
}

impl Answer {
    fn unusable(note: String) -> Self {
        Self { notes: vec![note], ..Self::default() }
    }
}

pub(super) fn read_answer(response: &Result<OutboundResponse, String>) -> Answer {
    match response {
        Ok(response) if response.is_success() => read_body(&response.body),
        Ok(response) => {
            Answer::unusable(format!("the webhook answered ACTION_COMPLETED with {}", response.status))
        }
        Err(message) => Answer::unusable(format!("the webhook did not answer ACTION_COMPLETED: {message}")),
    }
}

fn read_body(body: &[u8]) -> Answer {
    let body: Value = match serde_json::from_slice(body) {
        Ok(body) => body,
        Err(error) => {
            return Answer::unusable(format!("the webhook's answer to ACTION_COMPLETED is no JSON: {error}"));
        }
    };
    let Some(entries) = body["callflow"].as_array() else {
        return Answer::unusable("the webhook's answer to ACTION_COMPLETED has no `callflow`".to_owned());
    };
    let mut notes = Vec::new();
    let mut actions = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let path = format!("$.callflow[{index}]");
        match read_action(entry, &path) {
            Ok(Some(action)) => actions.push(action),
            Ok(None) => {
                let name = action_name(entry, &path).unwrap_or_default();
                notes.push(format!(
                    "the webhook's answer to ACTION_COMPLETED: {path}: the sandbox does not play `{name}`"
                ));
            }
            Err(invalid) => {
                notes.push(format!("the webhook's answer to ACTION_COMPLETED: {}", invalid.message));
            }
        }
    }
    let is_usable = !actions.is_empty() || entries.is_empty();
    Answer {
        actions: is_usable.then_some(actions),
        client_action_id: body["clientActionId"].as_str().map(str::to_owned),
        notes,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Answer, read_body};
    use crate::sandbox::calls::action::Action;

    #[test]
    fn what_is_understood_is_done_and_the_rest_is_noted() {
        let answer = json!({"clientActionId": "menu", "callflow": [
            {"action": "dance"},
            {"action": "say"},
            {"action": "makeCall", "params": {"destination": "+6590002222"}},
            {"action": "hangup"},
        ]});
        let answer = read_body(answer.to_string().as_bytes());
        assert_eq!(answer.actions, Some(vec![Action::Hangup]));
        assert_eq!(answer.client_action_id.as_deref(), Some("menu"));
        let about = "the webhook's answer to ACTION_COMPLETED: ";
        assert_eq!(
            answer.notes,
            [
                format!("{about}$.callflow[0]: the sandbox does not play `dance`"),
                format!(
                    "{about}Invalid call flow entry provided. $.callflow[1].params.text: is missing but it is \
                     required"
                ),
                format!("{about}$.callflow[2]: the sandbox does not play `makeCall`"),
            ]
        );
    }

    #[test]
    fn an_answer_without_anything_to_do_is_an_error_unless_it_is_meant_so() {
        for body in ["", "[]", "{}", r#"{"callflow": {}}"#, r#"{"callflow": [{"action": "dance"}]}"#] {
            let answer = read_body(body.as_bytes());
            assert_eq!((answer.actions, answer.notes.len()), (None, 1), "{body}");
        }
        let nothing = Answer { actions: Some(Vec::new()), ..Answer::default() };
        assert_eq!(read_body(br#"{"callflow": []}"#), nothing);
    }
}
