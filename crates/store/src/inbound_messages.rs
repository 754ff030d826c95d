//! Messages from users, as they are handed on to customers (Workflows API 10). They have nothing to do with
//! workflows.

use trunkline_workflow::AccountId;
use uuid::Uuid;

use crate::callbacks::NewCallback;
use crate::{Store, StoreError};

/// A message that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundMessage {
    pub account: AccountId,
    /// The same for every delivery of the same message.
    pub dedupe_key: String,
    /// What the customer is told.
    pub body: String,
}

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandedOn {
    ToCustomer,
    /// There is no address for it, and it is kept for those who ask why.
    ToNobody,
    /// It had come before; nothing was done.
    Before,
}

/// What is told of a message: that it came.
const EVENT: &str = "inbound";

/// An address, and the application whose it is.
type Address = (Option<String>, Option<Uuid>);

impl Store {
    /// Durable when it returns.
    pub async fn hand_on(&self, message: InboundMessage) -> Result<HandedOn, StoreError> {
        let (url, signer) = self.inbound_address(&message.account).await?;
        let handed_on = if url.is_some() { HandedOn::ToCustomer } else { HandedOn::ToNobody };
        let callback = NewCallback {
            account: message.account,
            // Each is a subject of its own: their order is nobody's concern.
            subject: message.dedupe_key,
            event: EVENT.to_owned(),
            signer,
            url,
            body: message.body,
        };
        Ok(if self.enqueue_callback(&callback).await? { handed_on } else { HandedOn::Before })
    }

    /// The account's own; where it has none, the one of the only application that has one (Dispatch 9.1).
    async fn inbound_address(&self, account: &AccountId) -> Result<Address, StoreError> {
        let address: Option<Address> = sqlx::query_as(
            "select coalesce(n.inbound_url, a.inbound_url), case when n.inbound_url is null then a.id end
             from nexmo_accounts n
             left join lateral (
                 select min(inbound_url) as inbound_url, (array_agg(id))[1] as id
                 from applications
                 where account_id = n.account_id and inbound_url is not null
                 having count(*) = 1
             ) a on true
             where n.account_id = $1",
        )
        .bind(account.as_str())
        .fetch_optional(&self.pool)
        .await?;
        Ok(address.unwrap_or_default())
    }
}
