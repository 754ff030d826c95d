//! By what instances are found: the same for a list of them and for what is done to many.

use serde_json::{Map, Value};
use uuid::Uuid;

/// All conditions must hold.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Conditions {
    /// Runnable, Suspended, Complete or Terminated
    #[arg(long)]
    status: Option<String>,
    /// Of this definition
    #[arg(long, value_name = "ID")]
    definition: Option<Uuid>,
    /// Of this version of it
    #[arg(long, value_name = "NUMBER")]
    version: Option<i32>,
    /// Failed at this step, or unfinished and at it
    #[arg(long)]
    step: Option<String>,
    /// Failed with these words in the error, in any letter case
    #[arg(long, value_name = "TEXT")]
    error: Option<String>,
    /// Failed with an error of this kind
    #[arg(long)]
    fingerprint: Option<String>,
    /// Of a definition of this subaccount
    #[arg(long, value_name = "ID")]
    sub_account: Option<String>,
    /// Started at this time or later: `2026-02-03T04:05Z`
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Started before this time
    #[arg(long, value_name = "TIME")]
    before: Option<String>,
    /// With this number anywhere in the context, in any spelling
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    phone: Option<String>,
    /// With this value in the context: `order.id=7`; more than one may be given
    #[arg(long, value_name = "PATH=VALUE", value_parser = parse_context)]
    context: Vec<(String, String)>,
}

fn parse_context(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(path, _)| !path.is_empty());
    let (path, value) = pair.ok_or("it reads `order.id=7`")?;
    Ok((path.to_owned(), value.to_owned()))
}

impl Conditions {
    /// Under the API's names; the version is a number there.
    fn given(&self) -> impl Iterator<Item = (&'static str, Value)> {
        let text = |text: &Option<String>| text.clone().map(Value::String);
        [
            ("status", text(&self.status)),
            ("definitionId", self.definition.map(|id| id.to_string().into())),
            ("version", self.version.map(Value::from)),
            ("step", text(&self.step)),
            ("error", text(&self.error)),
            ("fingerprint", text(&self.fingerprint)),
            ("subAccountId", text(&self.sub_account)),
            ("startedFrom", text(&self.from)),
            ("startedBefore", text(&self.before)),
            ("phone", text(&self.phone)),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
    }

    /// As parameters of a search.
    pub(super) fn query(&self) -> Vec<(String, String)> {
        let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let given = self.given().map(|(name, value)| (name.to_owned(), text(value)));
        given
            .chain(self.context.iter().map(|(path, value)| (format!("context.{path}"), value.clone())))
            .collect()
    }

    /// As the filter of a batch; empty when there is no condition.
    pub(in crate::cli) fn filter(&self) -> Map<String, Value> {
        let mut filter: Map<String, Value> =
            self.given().map(|(name, value)| (name.to_owned(), value)).collect();
        if !self.context.is_empty() {
            let values = self.context.iter().map(|(path, value)| (path.clone(), value.clone().into()));
            filter.insert("context".to_owned(), Value::Object(values.collect()));
        }
        filter
    }
}
