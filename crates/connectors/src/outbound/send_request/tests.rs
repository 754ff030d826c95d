//! The client against recorded servers on loopback addresses, which the policies of these tests
//! permit one by one.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::{MAX_RESPONSE_BYTES, OutboundClient, OutboundRequest};
use crate::outbound::resolve_permitted::Lookup;
use crate::outbound::{AddressPolicy, OutboundError, parse_network};
use crate::recorded_server::{RecordedServer, Reply};

pub(super) fn get(url: impl Into<String>) -> OutboundRequest {
    OutboundRequest {
        method: "GET".to_owned(),
        url: url.into(),
        headers: Vec::new(),
        body: None,
        timeout: Duration::from_secs(20),
        follow_redirects: true,
    }
}

pub(super) fn permitting(networks: &[&str]) -> AddressPolicy {
    AddressPolicy {
        allow_private: false,
        allowed: networks.iter().map(|network| parse_network(network).unwrap()).collect(),
    }
}

fn client() -> OutboundClient {
    OutboundClient::new(permitting(&["127.0.0.1"]))
}

/// The nth lookup gets the nth list, later ones the last.
pub(super) fn scripted_lookup(answers: Vec<Vec<&'static str>>) -> (Lookup, Arc<AtomicUsize>) {
    let lookups = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&lookups);
    let lookup: Lookup = Arc::new(move |_| {
        let turn = counter.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
        let addresses = answers[turn].iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0)).collect();
        Box::pin(async move { Ok(addresses) })
    });
    (lookup, lookups)
}

#[tokio::test]
async fn a_request_goes_out_as_it_was_given() {
    let server = RecordedServer::start(vec![Reply::with_headers(
        "418 Kettle Only",
        "X-One: 1\r\nSet-Cookie: a=b\r\n",
        "short",
    )])
    .await;
    let client = client();
    let mut request = get(server.url("/p?q=1#fragment"));
    request.method = "post".to_owned();
    request.headers =
        vec![("X-A".to_owned(), "1".to_owned()), ("Accept".to_owned(), "text/plain".to_owned())];
    request.body = Some(b"{\"a\":1}".to_vec());
    let response = client.send(request.clone()).await.unwrap();
    assert_eq!((response.status, response.reason.as_str()), (418, "Kettle Only"));
    assert_eq!(response.header("x-ONE"), Some("1"));
    assert_eq!(response.body, b"short");
    assert!(!response.is_success());

    client.send(request).await.unwrap();
    let expected = "POST /p?q=1 HTTP/1.1\r\nx-a: 1\r\naccept: text/plain\r\nuser-agent: automation\r\n\
                    host: HOST\r\ncontent-length: 7\r\n\r\n{\"a\":1}";
    assert_eq!(server.requests(), [expected, expected], "no cookie comes back");
    assert_eq!(server.connections(), 1, "connections are pooled");
}

#[tokio::test]
async fn no_body_has_a_length_where_one_is_expected() {
    let server = RecordedServer::start(vec![Reply::json("200 OK", "{}")]).await;
    let client = client();
    let methods = ["POST", "put", "PATCH", "GET", "HEAD", "DELETE"];
    for (method, body) in methods.into_iter().flat_map(|method| [(method, None), (method, Some(Vec::new()))])
    {
        let mut request = get(server.url("/"));
        request.method = method.to_owned();
        request.body = body;
        client.send(request).await.unwrap();
        let sent = server.requests().pop().unwrap();
        let lengths = sent.matches("\r\ncontent-length: 0\r\n").count();
        let expected = usize::from(["POST", "put", "PATCH"].contains(&method));
        assert_eq!(lengths, expected, "{sent}");
        assert!(sent.ends_with("\r\n\r\n") && !sent.contains("transfer-encoding"), "{sent}");
    }
}

#[tokio::test]
async fn an_answer_without_a_phrase_of_its_own_has_the_standard_one() {
    let server = RecordedServer::start(vec![Reply::json("404 Not Found", "{}")]).await;
    assert_eq!(client().send(get(server.url("/"))).await.unwrap().reason, "Not Found");
}

#[tokio::test]
async fn an_answer_of_one_mebibyte_is_read_and_one_byte_more_is_too_large() {
    let largest = "x".repeat(MAX_RESPONSE_BYTES);
    let announced = format!("{largest}x");
    let chunked = |body: &str| {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        Reply::Write(format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len()).into_bytes())
    };
    for (reply, fits) in [
        (Reply::json("200 OK", &largest), true),
        (Reply::json("200 OK", &announced), false),
        (chunked(&largest), true),
        (chunked(&announced), false),
    ] {
        let server = RecordedServer::start(vec![reply]).await;
        match client().send(get(server.url("/"))).await {
            Ok(response) => assert!(fits && response.body.len() == MAX_RESPONSE_BYTES),
            Err(error) => assert!(!fits && error == OutboundError::TooLarge, "{error}"),
        }
    }
}

#[tokio::test]
async fn a_refused_connection_was_certainly_not_sent() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = client().send(get(format!("http://{closed}/"))).await.unwrap_err();
    assert_eq!(error, OutboundError::NotSent("Connection refused".to_owned()));
}

#[tokio::test]
async fn a_name_that_does_not_resolve_was_certainly_not_sent() {
    let lookup: Lookup =
        Arc::new(|_| Box::pin(async { Err(io::Error::other("failed to lookup address information")) }));
    let client = OutboundClient::with_lookup(AddressPolicy::default(), lookup);
    let error = client.send(get("http://nowhere.example/")).await.unwrap_err();
    assert_eq!(error, OutboundError::NotSent("The host name could not be resolved".to_owned()));
}

#[tokio::test]
async fn a_server_without_tls_was_certainly_not_sent_and_says_why() {
    let plain = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", plain.local_addr().unwrap());
    tokio::spawn(async move {
        use tokio::io::AsyncWriteExt as _;
        let (mut stream, _) = plain.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        std::future::pending::<()>().await;
    });
    match client().send(get(url)).await.unwrap_err() {
        OutboundError::NotSent(reason) => {
            assert!(reason.starts_with("The SSL connection could not be established: "), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_connection_closed_after_the_request_leaves_its_effect_unknown() {
    let server = RecordedServer::start(vec![Reply::Close]).await;
    let error = client().send(get(server.url("/"))).await.unwrap_err();
    assert_eq!(
        error,
        OutboundError::Unknown("The connection was closed before the response was complete".to_owned())
    );
    assert_eq!(server.requests().len(), 1, "and is not sent again");
}

#[tokio::test]
async fn an_answer_that_breaks_off_leaves_its_effect_unknown() {
    let half = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".to_vec();
    let server = RecordedServer::start(vec![Reply::WriteAndClose(half)]).await;
    let outcome = client().send(get(server.url("/"))).await;
    assert!(matches!(outcome, Err(OutboundError::Unknown(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_server_that_hangs_is_left_after_the_timeout_with_the_effect_unknown() {
    let server = RecordedServer::start(vec![Reply::Hang]).await;
    let mut request = get(server.url("/"));
    request.timeout = Duration::from_millis(500);
    let error = client().send(request).await.unwrap_err();
    assert_eq!(error, OutboundError::Unknown("No response within 0.5 seconds".to_owned()));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_named() {
    let server = RecordedServer::start(vec![Reply::Write(b"220 smtp.example ready\r\n".to_vec())]).await;
    let error = client().send(get(server.url("/"))).await.unwrap_err();
    assert_eq!(error, OutboundError::Unknown("The response is not valid HTTP".to_owned()));
}

#[tokio::test]
async fn a_name_is_connected_to_at_its_permitted_addresses_only() {
    let wanted = RecordedServer::start_at("127.0.0.1:0", vec![Reply::json("200 OK", "{}")]).await;
    let port = wanted.address.port();
    let hidden =
        RecordedServer::start_at(&format!("127.0.0.2:{port}"), vec![Reply::json("200 OK", "{}")]).await;
    let (lookup, _) = scripted_lookup(vec![vec!["127.0.0.2", "::1", "127.0.0.1"]]);
    let client = OutboundClient::with_lookup(permitting(&["127.0.0.1"]), lookup);
    client.send(get(format!("http://mixed.example:{port}/"))).await.unwrap();
    assert_eq!((wanted.requests().len(), hidden.connections()), (1, 0));
}

#[tokio::test]
async fn a_name_that_is_rebound_between_two_lookups_reaches_nothing() {
    let close = Reply::with_headers("200 OK", "Connection: close\r\n", "{}");
    let public = RecordedServer::start_at("127.0.0.1:0", vec![close]).await;
    let port = public.address.port();
    let private =
        RecordedServer::start_at(&format!("127.0.0.2:{port}"), vec![Reply::json("200 OK", "{}")]).await;
    let (lookup, lookups) = scripted_lookup(vec![vec!["127.0.0.1"], vec!["127.0.0.2"]]);
    let client = OutboundClient::with_lookup(permitting(&["127.0.0.1"]), lookup);
    let url = format!("http://rebound.example.:{port}/");

    client.send(get(url.as_str())).await.unwrap();
    assert_eq!(lookups.load(Ordering::SeqCst), 1, "the addresses checked are the addresses used");
    let error = client.send(get(url)).await.unwrap_err();
    assert_eq!(
        error,
        OutboundError::Refused("`rebound.example.` has no address that may be called from here".to_owned())
    );
    assert_eq!((public.requests().len(), private.connections()), (1, 0));
}

#[tokio::test]
async fn a_redirect_to_a_private_address_is_refused() {
    let private = RecordedServer::start_at("127.0.0.2:0", vec![Reply::json("200 OK", "{}")]).await;
    let port = private.address.port();
    for location in [
        private.url("/secret"),
        format!("//127.0.0.2:{port}/"),
        format!("http://2130706434:{port}/"),
        format!("http://[::ffff:7f00:2]:{port}/"),
        format!("http://private.example:{port}/"),
    ] {
        let server = RecordedServer::start(vec![Reply::redirect("302 Found", &location)]).await;
        let (lookup, _) = scripted_lookup(vec![vec!["127.0.0.2"]]);
        let client = OutboundClient::with_lookup(permitting(&["127.0.0.1"]), lookup);
        let outcome = client.send(get(server.url("/"))).await;
        assert!(matches!(outcome, Err(OutboundError::Refused(_))), "{location}: {outcome:?}");
    }
    assert_eq!(private.connections(), 0);
}

#[tokio::test]
async fn five_redirects_are_followed_and_the_sixth_is_not() {
    for (redirects, arrives) in [(5, true), (6, false)] {
        let mut replies = vec![Reply::redirect("302 Found", "/next"); redirects];
        replies.push(Reply::json("200 OK", "{}"));
        let server = RecordedServer::start(replies).await;
        let outcome = client().send(get(server.url("/"))).await;
        assert_eq!(outcome.is_ok(), arrives, "{redirects}: {outcome:?}");
        assert_eq!(server.requests().len(), 6);
    }
}

#[tokio::test]
async fn a_redirected_post_becomes_a_get_and_leaves_its_key_behind() {
    let other = RecordedServer::start(vec![Reply::json("200 OK", "{\"ok\":true}")]).await;
    let server = RecordedServer::start(vec![Reply::redirect("303 See Other", &other.url("/seen"))]).await;
    let mut request = get(server.url("/"));
    request.method = "POST".to_owned();
    request.headers = vec![
        ("Authorization".to_owned(), "Bearer k".to_owned()),
        ("Content-Type".to_owned(), "application/json".to_owned()),
    ];
    request.body = Some(b"{}".to_vec());
    let response = client().send(request).await.unwrap();
    assert_eq!(response.body, b"{\"ok\":true}");
    assert_eq!(
        other.requests(),
        ["GET /seen HTTP/1.1\r\naccept: */*\r\nuser-agent: automation\r\nhost: HOST\r\n\r\n"]
    );
}

#[tokio::test]
async fn a_redirect_to_a_closed_port_may_have_taken_effect() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server =
        RecordedServer::start(vec![Reply::redirect("307 Temporary Redirect", &format!("http://{closed}/"))])
            .await;
    let error = client().send(get(server.url("/"))).await.unwrap_err();
    assert_eq!(error, OutboundError::Unknown("Connection refused".to_owned()));
}

#[tokio::test]
async fn a_redirect_is_an_answer_when_it_is_not_to_be_followed() {
    let server = RecordedServer::start(vec![Reply::redirect("302 Found", "/next")]).await;
    let mut request = get(server.url("/"));
    request.follow_redirects = false;
    let response = client().send(request).await.unwrap();
    assert_eq!((response.status, response.header("location")), (302, Some("/next")));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn tls_1_3_is_offered() {
    use tokio::io::AsyncReadExt as _;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let hello = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut header = [0; 5];
        stream.read_exact(&mut header).await.unwrap();
        let mut hello = vec![0; usize::from(u16::from_be_bytes([header[3], header[4]]))];
        stream.read_exact(&mut hello).await.unwrap();
        hello
    });
    client().send(get(url)).await.unwrap_err();
    let hello = hello.await.unwrap();
    // Extension 43, supported_versions (RFC 8446, 4.2.1), with its list of one or two versions.
    let offers = |versions: &[u8]| hello.windows(versions.len()).any(|window| window == versions);
    assert!(
        offers(&[0, 43, 0, 5, 4, 3, 4, 3, 3]) || offers(&[0, 43, 0, 3, 2, 3, 4]),
        "the first of the versions is not 1.3: {hello:02x?}"
    );
}

#[test]
fn what_may_be_secret_is_not_in_the_debug_output() {
    let request = OutboundRequest {
        method: "POST".to_owned(),
        url: "https://hush-1:hush-2@a.example/hush-3?token=hush-4".to_owned(),
        headers: vec![("Authorization".to_owned(), "Bearer hush-5".to_owned())],
        body: Some(b"hush-6".to_vec()),
        timeout: Duration::from_secs(5),
        follow_redirects: false,
    };
    let shown = format!("{request:?}");
    assert!(shown.contains("https://a.example") && shown.contains("Authorization"), "{shown}");
    assert!(!shown.contains("hush") && !shown.contains(&format!("{:?}", b"hush-6")), "{shown}");
}
