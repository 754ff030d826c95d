//! What steps work with: the evaluator, the providers, the way out.

use trunkline_connectors::eight_by_eight::MessagingConfig;
use trunkline_connectors::outbound::OutboundClient;
use trunkline_expressions::Evaluator;

#[derive(Clone)]
pub struct Tools {
    pub evaluator: Evaluator,
    /// For calls whose target the operator configured.
    pub providers: OutboundClient,
    /// For calls whose target a definition's author chose.
    pub outbound: OutboundClient,
    /// `None`: no messaging provider is configured, and steps that need one fault.
    pub messaging: Option<MessagingConfig>,
}
