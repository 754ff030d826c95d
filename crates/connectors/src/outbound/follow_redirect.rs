//! One request on its way: the hop as it came from the caller, and the next hop that a redirect
//! asks for. Pure, so that every rule is a table row in a test.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode, Url};

use super::describe_failure::OutboundError;
use super::send_request::OutboundRequest;

#[derive(Clone)]
pub(super) struct Hop {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
}

/// The client frames the message and manages the connection; a second opinion about either would
/// let an author desynchronise a connection that others use after him.
const OWNED_BY_THE_CLIENT: [HeaderName; 7] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
    header::EXPECT,
];

impl Hop {
    /// Reads the caller's request. What cannot be sent is refused here, before any IO.
    pub(super) fn first(request: OutboundRequest) -> Result<Self, OutboundError> {
        let method = Method::from_bytes(request.method.trim().to_ascii_uppercase().as_bytes())
            .ok()
            .filter(|method| *method != Method::CONNECT)
            .ok_or_else(|| refused(format!("`{}` is not a method that can be used", request.method)))?;
        let mut url = Url::parse(request.url.trim())
            .map_err(|error| refused(format!("The URL is not valid ({error})")))?;
        require_http(&url)?;

        let mut headers = HeaderMap::new();
        for (name, value) in request.headers {
            let Ok(header_name) = HeaderName::from_bytes(name.trim().as_bytes()) else {
                return Err(refused(format!("`{name}` is not a header name")));
            };
            if OWNED_BY_THE_CLIENT.contains(&header_name) {
                continue;
            }
            // The value may be a secret, so the text names the header only.
            let header_value = HeaderValue::from_str(value.trim())
                .map_err(|_| refused(format!("The value of header `{name}` cannot be sent")))?;
            headers.append(header_name, header_value);
        }
        if let Some(basic) = take_credentials(&mut url) {
            headers.entry(header::AUTHORIZATION).or_insert(basic);
        }
        Ok(Self { method, url, headers, body: request.body.map(Bytes::from) })
    }

    /// Where a redirect leads, or `None` when the response is the answer.
    pub(super) fn next(
        &self,
        status: StatusCode,
        location: Option<&HeaderValue>,
    ) -> Result<Option<Self>, OutboundError> {
        let becomes_get = match status {
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => self.method == Method::POST,
            StatusCode::SEE_OTHER => self.method != Method::GET && self.method != Method::HEAD,
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => false,
            _ => return Ok(None),
        };
        let Some(location) = location else { return Ok(None) };
        let mut url = std::str::from_utf8(location.as_bytes())
            .ok()
            .and_then(|location| self.url.join(location).ok())
            .ok_or_else(|| refused("The server redirects to a URL that is not valid".to_owned()))?;
        require_http(&url)?;
        // Credentials that a server puts into its redirect are not ours to present.
        take_credentials(&mut url);

        let mut next = self.clone();
        next.headers.remove(header::HOST);
        if url.origin() != self.url.origin() {
            for secret in [header::AUTHORIZATION, header::COOKIE, header::PROXY_AUTHORIZATION] {
                next.headers.remove(secret);
            }
        }
        if becomes_get {
            next.method = Method::GET;
            next.body = None;
            for about_the_body in [
                header::CONTENT_TYPE,
                header::CONTENT_ENCODING,
                header::CONTENT_LANGUAGE,
                header::CONTENT_LOCATION,
            ] {
                next.headers.remove(about_the_body);
            }
        }
        next.url = url;
        Ok(Some(next))
    }
}

fn refused(reason: String) -> OutboundError {
    OutboundError::Refused(reason)
}

fn require_http(url: &Url) -> Result<(), OutboundError> {
    if matches!(url.scheme(), "http" | "https") && url.host_str().is_some_and(|host| !host.is_empty()) {
        return Ok(());
    }
    Err(refused("Only absolute http and https URLs can be called".to_owned()))
}

/// Moves `user:password@` out of the URL, into the header that it stands for.
fn take_credentials(url: &mut Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let mut pair = percent_decoded(url.username());
    pair.push(b':');
    pair.extend(percent_decoded(url.password().unwrap_or_default()));
    url.set_username("").and_then(|()| url.set_password(None)).expect("http and https URLs have a host");
    HeaderValue::from_str(&format!("Basic {}", BASE64_STANDARD.encode(pair))).ok()
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = match (first, tail) {
            (b'%', [high, low, ..]) => hex_digit(*high).zip(hex_digit(*low)),
            _ => None,
        };
        if let Some((high, low)) = escaped {
            decoded.push(high << 4 | low);
            rest = &tail[2..];
        } else {
            decoded.push(*first);
            rest = tail;
        }
    }
    decoded
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::header::HeaderValue;
    use reqwest::{Method, StatusCode};

    use super::Hop;
    use crate::outbound::{OutboundError, OutboundRequest};

    fn request(method: &str, url: &str) -> OutboundRequest {
        OutboundRequest {
            method: method.to_owned(),
            url: url.to_owned(),
            headers: vec![
                ("Authorization".to_owned(), "Bearer k".to_owned()),
                ("Content-Type".to_owned(), "application/json".to_owned()),
                ("X-Trace".to_owned(), "1".to_owned()),
            ],
            body: Some(b"{}".to_vec()),
            timeout: Duration::from_secs(5),
            follow_redirects: true,
        }
    }

    fn redirect(method: &str, status: u16, location: &str) -> Result<Option<Hop>, OutboundError> {
        Hop::first(request(method, "https://a.example/old"))
            .unwrap()
            .next(StatusCode::from_u16(status).unwrap(), Some(&HeaderValue::from_str(location).unwrap()))
    }

    #[test]
    fn a_redirect_keeps_or_changes_the_method_as_its_status_says() {
        for (method, status, next_method, keeps_body) in [
            ("POST", 301, "GET", false),
            ("POST", 302, "GET", false),
            ("POST", 303, "GET", false),
            ("POST", 307, "POST", true),
            ("POST", 308, "POST", true),
            ("PUT", 301, "PUT", true),
            ("PUT", 303, "GET", false),
            ("DELETE", 302, "DELETE", true),
            ("GET", 303, "GET", true),
            ("HEAD", 303, "HEAD", true),
        ] {
            let next = redirect(method, status, "/new").unwrap().unwrap();
            assert_eq!(next.method.as_str(), next_method, "{method} {status}");
            assert_eq!(next.body.is_some(), keeps_body, "{method} {status}");
            assert_eq!(next.headers.contains_key("content-type"), keeps_body, "{method} {status}");
            assert_eq!(next.url.as_str(), "https://a.example/new");
        }
    }

    #[test]
    fn other_statuses_and_a_missing_location_are_the_answer() {
        for status in [200, 300, 304, 305, 404] {
            assert!(redirect("GET", status, "/new").unwrap().is_none(), "{status}");
        }
        let hop = Hop::first(request("GET", "https://a.example/")).unwrap();
        assert!(hop.next(StatusCode::FOUND, None).unwrap().is_none());
    }

    #[test]
    fn secrets_stay_with_the_origin_they_were_given_for() {
        for (location, same_origin) in [
            ("/new", true),
            ("https://a.example:443/new", true),
            ("https://b.example/", false),
            ("http://a.example/", false),
            ("https://a.example:8443/", false),
            ("//b.example/", false),
        ] {
            let next = redirect("GET", 302, location).unwrap().unwrap();
            assert_eq!(next.headers.contains_key("authorization"), same_origin, "{location}");
            assert!(next.headers.contains_key("x-trace"), "{location}");
        }
    }

    #[test]
    fn a_redirect_out_of_http_is_refused() {
        for location in ["file:///etc/passwd", "ftp://a.example/", "javascript:1", "http://"] {
            assert!(matches!(redirect("GET", 302, location), Err(OutboundError::Refused(_))), "{location}");
        }
    }

    #[test]
    fn credentials_of_a_redirect_are_dropped() {
        let next = redirect("GET", 302, "https://user:pw@a.example/").unwrap().unwrap();
        assert_eq!(next.url.as_str(), "https://a.example/");
        assert_eq!(next.headers["authorization"], "Bearer k");
    }

    #[test]
    fn credentials_of_the_url_become_a_header_unless_there_is_one() {
        let mut plain = request("GET", "https://us%3Aer:p%40w@a.example/");
        plain.headers.clear();
        let hop = Hop::first(plain).unwrap();
        assert_eq!(hop.url.as_str(), "https://a.example/");
        assert_eq!(hop.headers["authorization"], "Basic dXM6ZXI6cEB3");
        let hop = Hop::first(request("GET", "https://user:pw@a.example/")).unwrap();
        assert_eq!(hop.headers["authorization"], "Bearer k");
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        for url in ["", "a.example", "/path", "ftp://a.example/", "file:///etc/passwd", "http://", "data:,x"]
        {
            assert!(matches!(Hop::first(request("GET", url)), Err(OutboundError::Refused(_))), "{url}");
        }
        for method in ["", "GE T", "CONNECT", "connect"] {
            let refused = Hop::first(request(method, "https://a.example/"));
            assert!(matches!(refused, Err(OutboundError::Refused(_))), "{method}");
        }
        for (name, value) in [("", "x"), ("a b", "x"), ("x", "a\r\nb: c"), ("x:", "y")] {
            let mut bad = request("GET", "https://a.example/");
            bad.headers.push((name.to_owned(), value.to_owned()));
            assert!(matches!(Hop::first(bad), Err(OutboundError::Refused(_))), "{name}");
        }
    }

    #[test]
    fn framing_headers_of_the_author_are_ignored() {
        let mut framed = request("get", "https://a.example/");
        for name in ["Content-Length", "transfer-encoding", "Connection"] {
            framed.headers.push((name.to_owned(), "7".to_owned()));
        }
        let hop = Hop::first(framed).unwrap();
        assert_eq!(hop.method, Method::GET);
        assert_eq!(hop.headers.len(), 3);
    }
}
