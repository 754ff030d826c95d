//! Addresses of services, checked.

/// An address that paths are appended to, without the slash at its end.
pub fn parse_base_url(text: &str) -> Result<String, String> {
    let url = reqwest::Url::parse(text.trim()).map_err(|error| error.to_string())?;
    if !is_of_web(&url) || url.query().is_some() {
        return Err("it reads `https://host` or `https://host/path`".to_owned());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// An address that is called as it stands.
pub fn parse_web_url(text: &str) -> Result<String, String> {
    let url = reqwest::Url::parse(text.trim()).map_err(|error| error.to_string())?;
    if !is_of_web(&url) {
        return Err("it reads `https://host/path`".to_owned());
    }
    Ok(url.into())
}

/// Passwords do not belong there: addresses are shown.
fn is_of_web(url: &reqwest::Url) -> bool {
    let is_plain = url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    matches!(url.scheme(), "http" | "https") && url.has_host() && is_plain
}

#[cfg(test)]
mod tests {
    use super::{parse_base_url, parse_web_url};

    #[test]
    fn base_urls_are_absolute_and_end_without_a_slash() {
        assert_eq!(parse_base_url("https://a.example/"), Ok("https://a.example".to_owned()));
        assert_eq!(parse_base_url("http://127.0.0.1:9/sms/"), Ok("http://127.0.0.1:9/sms".to_owned()));
        for bad in ["", "a.example", "ftp://a.example", "https://a.example/?x=1", "https:", "https://me@a/"] {
            assert!(parse_base_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_that_is_called_may_have_a_query() {
        assert_eq!(parse_web_url("https://a.example/x/?y=1"), Ok("https://a.example/x/?y=1".to_owned()));
        for bad in ["", "a.example/x", "mailto:me@a.example", "https://:hush@a.example/x"] {
            assert!(parse_web_url(bad).is_err(), "{bad}");
        }
    }
}
