//! What steps work with: the evaluator, the providers, the way out, and the rules of the installation.

use trunkline_connectors::eight_by_eight::EightByEight;
use trunkline_connectors::messages_api::MessagesApi;
use trunkline_connectors::outbound::OutboundClient;
use trunkline_expressions::Evaluator;
use trunkline_workflow::dispatch::{self, Price};
use trunkline_workflow::retry::RetryPolicy;

#[derive(Clone)]
pub struct Tools {
    pub evaluator: Evaluator,
    /// For calls whose target the operator configured.
    pub providers: OutboundClient,
    /// For calls whose target a definition's author chose.
    pub outbound: OutboundClient,
    /// For accounts without a connector. `None`: their steps that send fault.
    pub fallback: Option<EightByEight>,
    /// Likewise for messages of the Messages API.
    pub messages_fallback: Option<MessagesApi>,
    pub connectors: ConnectorUse,
    pub rules: Rules,
}

/// What the connectors of accounts are to those who send.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ConnectorUse {
    /// The account's connector is used, the fallback where there is none.
    #[default]
    First,
    /// Nothing leaves by them: all that is sent goes to the fallbacks, and nothing is handed over.
    Ignored,
}

/// What the specification leaves to each installation.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    pub interrupted_sends: InterruptedSends,
    pub text_answers: TextAnswers,
    /// For steps that send and have no `retry` of their own (U-01).
    pub send_retry: Option<RetryPolicy>,
    /// Where the world reaches our webhooks: `https://automation.example.net`.
    pub public_url: Option<String>,
    /// What a workflow of the Workflows API costs besides its messages, in euros (U30 there).
    pub workflow_fee: Price,
    /// About workflows that `Failover` steps start.
    pub dispatch: dispatch::Rules,
    pub history: HistoryLimit,
}

/// Bytes that the history keeps of each body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryLimit(pub usize);

impl Default for HistoryLimit {
    fn default() -> Self {
        Self(4096)
    }
}

/// What becomes of a send whose worker died, so that the provider may have it already (U-51).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum InterruptedSends {
    /// It is sent again, with the same idempotency key.
    #[default]
    Repeat,
    /// The instance ends with `Step interrupted.`
    Fault,
}

/// What becomes of an HTTP answer that is not JSON (U-03).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TextAnswers {
    #[default]
    Fault,
    /// `responseBody` is the text.
    Keep,
}
