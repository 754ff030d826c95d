//! Where media are fetched from (Dispatch 4.4). Whether anything is there is the provider's business.

/// Whether it is absolute, of HTTP, and names a host.
pub(super) fn is_web_url(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    (scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https"))
        && !url.contains(char::is_control)
        && is_host_and_port(host)
}

fn is_host_and_port(text: &str) -> bool {
    let end = match text.strip_prefix('[') {
        Some(_) => text.find(']').map(|bracket| bracket + 1),
        None => text.find(':').or(Some(text.len())),
    };
    let Some((host, port)) = end.map(|end| text.split_at(end)) else { return false };
    let is_port = |port: &str| {
        port.strip_prefix(':').is_some_and(|digits| {
            digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<u16>().is_ok()
        })
    };
    !matches!(host, "" | "[]") && !host.contains(char::is_whitespace) && (port.is_empty() || is_port(port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_urls_of_http_will_do() {
        for url in [
            "https://example.com",
            "http://example.com/a.jpg?b=c#d",
            "HTTPS://example.com:8443/ä b",
            "http://user:word@127.0.0.1:80",
            "http://[::1]:8080/x",
            "https://bücher.example/",
        ] {
            assert!(is_web_url(url), "{url}");
        }
        for url in [
            "",
            "example.com/a.jpg",
            "/a.jpg",
            "//example.com/a.jpg",
            "ftp://example.com/a.jpg",
            "https:example.com",
            "https://",
            "https:///a.jpg",
            "https://?a",
            "https://:80/",
            "https://user@/",
            "https://exam ple.com/",
            " https://example.com",
            "https://example.com:x/",
            "https://example.com:+1/",
            "https://example.com:65536/",
            "https://[::1/",
            "https://[]/",
            "https://example.com/\n",
        ] {
            assert!(!is_web_url(url), "{url}");
        }
    }
}
