//! Addresses of services, checked.

use std::net::IpAddr;

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

/// Whether what is sent there crosses networks that are not our own without encryption. A name without a dot is
/// one of the installation's own network.
pub fn is_readable_on_the_way(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else { return false };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let is_own = match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_private() || address.is_link_local(),
        Ok(IpAddr::V6(address)) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
        Err(_) => !host.contains('.') || host.ends_with(".localhost"),
    };
    url.scheme() == "http" && !is_own
}

/// Whether both are served by the same one: of the same scheme, host and port.
pub fn is_same_origin(one: &str, other: &str) -> bool {
    let origin = |url| reqwest::Url::parse(url).map(|url| url.origin());
    matches!((origin(one), origin(other)), (Ok(one), Ok(other)) if one == other)
}

/// Passwords do not belong there: addresses are shown.
fn is_of_web(url: &reqwest::Url) -> bool {
    let is_plain = url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    matches!(url.scheme(), "http" | "https") && url.has_host() && is_plain
}

#[cfg(test)]
mod tests {
    use super::{is_readable_on_the_way, is_same_origin, parse_base_url, parse_web_url};

    #[test]
    fn base_urls_are_absolute_and_end_without_a_slash() {
        assert_eq!(parse_base_url("https://a.example/"), Ok("https://a.example".to_owned()));
        assert_eq!(parse_base_url("http://127.0.0.1:9/sms/"), Ok("http://127.0.0.1:9/sms".to_owned()));
        for bad in ["", "a.example", "ftp://a.example", "https://a.example/?x=1", "https:", "https://me@a/"] {
            assert!(parse_base_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn plain_http_is_for_ones_own_network() {
        for own in [
            "http://127.0.0.1:9",
            "http://localhost",
            "http://gateway:80/x",
            "http://10.1.2.3",
            "http://[::1]:9/",
            "http://[fd00::1]",
            "https://sms.8x8.com",
            "https://203.0.113.9",
        ] {
            assert!(!is_readable_on_the_way(own), "{own}");
        }
        for open in ["http://sms.8x8.com", "http://203.0.113.9:80/x", "http://[2001:db8::1]/"] {
            assert!(is_readable_on_the_way(open), "{open}");
        }
    }

    #[test]
    fn scheme_host_and_port_make_the_origin() {
        let here = "https://desk.example/in";
        for same in ["https://desk.example/out?x=1", "https://DESK.example:443"] {
            assert!(is_same_origin(here, same), "{same}");
        }
        for other in
            ["http://desk.example/in", "https://desk.example:8443/in", "https://a.desk.example/in", ""]
        {
            assert!(!is_same_origin(here, other), "{other}");
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
