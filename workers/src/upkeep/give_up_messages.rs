//! Last messages of which nobody knows whether they were sent are told as refused, when no status came in time
//! (Dispatch 12.3).

use trunkline_connectors::correlation::receipt_key;
use trunkline_connectors::messages_api::StatusError;
use trunkline_connectors::messages_api::status_code::COMMUNICATION_FAILED;
use trunkline_store::clock;
use trunkline_store::dispatches::{Change, OverdueMark, OverdueMessage};
use trunkline_store::{Store, StoreError};
use trunkline_workflow::dispatch::{Refusal, Status};

pub(super) async fn run(store: Store) -> Result<(), StoreError> {
    let StatusError { code, reason } = StatusError::of(COMMUNICATION_FAILED);
    let refusal = Some(Refusal { code, reason });
    let mut mark = OverdueMark::default();
    let mut first_error = None;
    while let Some(messages) = store.find_overdue_messages(&mut mark).await? {
        for OverdueMessage { account, id } in messages {
            let change = Change { refusal: refusal.clone(), ..Change::new(Status::Rejected, clock::now()) };
            let subject = (id, receipt_key(&id.to_string()));
            match store.give_up_message(&account, subject, &change).await {
                Ok(_) => {}
                Err(error) if error.is_unavailable() => return Err(error),
                // The others are not to wait for it, whatever it is.
                Err(error) if error.may_pass() => first_error = first_error.or(Some(error)),
                Err(error) => {
                    tracing::error!(account.id = %account, message.id = %id, error = %error, "a message cannot be given up");
                }
            }
        }
    }
    first_error.map_or(Ok(()), Err)
}
