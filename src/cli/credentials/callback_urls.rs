//! Where an account or an application is told things.

use trunkline_store::nexmo_accounts::CallbackUrls;

use crate::api::nexmo::parse_callback_url;

const NONE: &str = "none";

#[derive(Debug, clap::Args)]
pub struct CallbackUrlChange {
    /// Where statuses of messages and final reports go
    #[arg(long, value_name = "URL|none", value_parser = parse_url)]
    status_url: Option<NewUrl>,
    /// Where inbound messages go
    #[arg(long, value_name = "URL|none", value_parser = parse_url)]
    inbound_url: Option<NewUrl>,
}

/// `None`: nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
struct NewUrl(Option<String>);

impl CallbackUrlChange {
    pub(in crate::cli) fn is_empty(&self) -> bool {
        self.status_url.is_none() && self.inbound_url.is_none()
    }

    /// What is not named stays.
    pub(in crate::cli) fn apply(self, urls: CallbackUrls) -> CallbackUrls {
        let change = |new: Option<NewUrl>, old| new.map_or(old, |NewUrl(url)| url);
        CallbackUrls {
            status: change(self.status_url, urls.status),
            inbound: change(self.inbound_url, urls.inbound),
        }
    }
}

fn parse_url(text: &str) -> Result<NewUrl, String> {
    if text == NONE {
        return Ok(NewUrl(None));
    }
    parse_callback_url(text)
        .map(|url| NewUrl(Some(url)))
        .map_err(|problem| format!("it {problem}, or `none`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_named_stays_and_none_removes() {
        let url = |text: &str| Some(text.to_owned());
        let old = CallbackUrls { status: url("https://a.example/st"), inbound: url("https://a.example/in") };
        let change = CallbackUrlChange { status_url: Some(parse_url("none").unwrap()), inbound_url: None };
        let new = change.apply(old.clone());
        assert_eq!(new, CallbackUrls { status: None, ..old.clone() });
        let status_url = Some(parse_url("https://b.example").unwrap());
        let change = CallbackUrlChange { status_url, inbound_url: None };
        assert_eq!(change.apply(old.clone()), CallbackUrls { status: url("https://b.example"), ..old });
        assert!(parse_url("b.example").is_err());
    }
}
