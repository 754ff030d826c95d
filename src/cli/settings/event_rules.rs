//! What the specification leaves to each installation about events that come in.

use trunkline_store::events::Recipients;

use crate::api::{EndedCalls, SmsAliases};

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Events")]
pub struct EventRulesSettings {
    /// Which instances get a reply that several wait for
    #[arg(
        long,
        env = "TRUNKLINE_REPLIES_TO",
        value_name = "RULE",
        value_enum,
        default_value_t = RepliesTo::All
    )]
    replies_to: RepliesTo,
    /// Whether inbound SMS also have `payload.content.text` and `payload.user.msisdn`, as chat messages have
    #[arg(
        long,
        env = "TRUNKLINE_SMS_ALIASES",
        value_name = "RULE",
        value_enum,
        default_value_t = AliasRule::None
    )]
    sms_aliases: AliasRule,
    /// What the end of a call means to steps that wait for keys pressed in it
    #[arg(
        long,
        env = "TRUNKLINE_ENDED_CALLS",
        value_name = "RULE",
        value_enum,
        default_value_t = EndedCallRule::Wait
    )]
    ended_calls: EndedCallRule,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum RepliesTo {
    /// All of them
    All,
    /// The one whose wait began last
    Newest,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum AliasRule {
    /// They do not
    None,
    /// They do
    Added,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum EndedCallRule {
    /// They wait until their timeout
    Wait,
    /// They go on without keys
    End,
}

impl EventRulesSettings {
    pub fn recipients(&self) -> Recipients {
        match self.replies_to {
            RepliesTo::All => Recipients::All,
            RepliesTo::Newest => Recipients::Newest,
        }
    }

    pub fn sms_aliases(&self) -> SmsAliases {
        match self.sms_aliases {
            AliasRule::None => SmsAliases::None,
            AliasRule::Added => SmsAliases::Added,
        }
    }

    pub fn ended_calls(&self) -> EndedCalls {
        match self.ended_calls {
            EndedCallRule::Wait => EndedCalls::LeaveWaits,
            EndedCallRule::End => EndedCalls::EndWaits,
        }
    }
}
