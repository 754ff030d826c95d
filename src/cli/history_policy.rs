//! `trunkline history-policy show|set`: what the history of an account's instances may keep.

use clap::Subcommand;
use serde_json::{Value, json};

use super::error::CliError;
use super::output::{Output, one_line, print_json};
use super::settings::ApiSettings;

/// Show or set what the history keeps of bodies, inputs and outputs
///
/// Talks to the server's API, not to its database; to set it takes a key of scope `admin`. What opens something is never
/// kept, whatever the policy.
#[derive(Debug, clap::Args)]
pub struct HistoryPolicyCommand {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    api: ApiSettings,
    /// The form of the answer
    #[arg(short, long, value_enum, default_value = "table", global = true)]
    output: Output,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show the policy
    Show,
    /// Set the policy for what is written from now on
    ///
    /// What is not named here is taken back.
    Set {
        /// What is kept of texts, numbers and addresses
        #[arg(value_enum)]
        bodies: BodiesRule,
        /// A further header that is never kept; may be given again
        #[arg(long = "header", value_name = "NAME")]
        headers: Vec<String>,
        /// A further member of JSON, or parameter of a URL, that is never kept; may be given again
        #[arg(long = "member", value_name = "NAME")]
        members: Vec<String>,
    },
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum BodiesRule {
    /// They are kept as they are
    Keep,
    /// Their form is kept, and of each text its length
    Redact,
    /// Their form is kept, and of each text a keyed hash
    Hash,
}

impl HistoryPolicyCommand {
    pub(super) async fn run(self) -> Result<(), CliError> {
        let api = self.api.open()?;
        let path = api.path("/history-policy");
        let policy = match self.action {
            Action::Show => api.server.get(&path).await?,
            Action::Set { bodies, headers, members } => {
                let bodies = match bodies {
                    BodiesRule::Keep => "keep",
                    BodiesRule::Redact => "redact",
                    BodiesRule::Hash => "hash",
                };
                let policy = json!({"bodies": bodies, "headers": headers, "members": members});
                api.server.put(&path, policy.to_string().into_bytes()).await?
            }
        };
        match self.output {
            Output::Json => print_json(&policy),
            Output::Table => print!("{}", described(&policy)),
        }
        Ok(())
    }
}

fn described(policy: &Value) -> String {
    let list = |name: &str| {
        let names = policy[name].as_array().into_iter().flatten().filter_map(Value::as_str);
        let names: Vec<String> = names.map(one_line).collect();
        if names.is_empty() { "-".to_owned() } else { names.join(", ") }
    };
    let bodies = policy["bodies"].as_str().unwrap_or("-");
    format!("bodies   {bodies}\nheaders  {}\nmembers  {}\n", list("headers"), list("members"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_three_lines() {
        let policy = json!({"bodies": "redact", "headers": ["X-A", "X-B"], "members": []});
        assert_eq!(described(&policy), "bodies   redact\nheaders  X-A, X-B\nmembers  -\n");
    }
}
