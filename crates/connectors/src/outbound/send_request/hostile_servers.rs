//! Servers whose answers never end, come a byte at a time, or swell: nobody gets more of us than the deadline and the
//! limit of an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::tests::{get, permitting};
use super::{MAX_RESPONSE_BYTES, OutboundClient, OutboundError, OutboundResponse};
use crate::recorded_server::{RecordedServer, Reply};

/// What is on the way between two sockets of this machine, and what is read ahead, is not more.
const IN_BETWEEN: u64 = 24 * 1024 * 1024;

/// How long anything may take on a machine that does other things.
const PATIENCE: Duration = Duration::from_secs(60);

/// Reads a request, writes a beginning, and then the same for ever, until it is hung up on.
struct Endless {
    url: String,
    written: Arc<AtomicU64>,
    ended: JoinHandle<()>,
}

impl Endless {
    async fn start(beginning: &str, repeated: impl Into<Vec<u8>>, pause: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let written = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&written);
        let (beginning, repeated) = (beginning.as_bytes().to_vec(), repeated.into());
        let ended = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            assert_ne!(stream.read(&mut request).await.unwrap(), 0);
            let mut next = &beginning;
            while stream.write_all(next).await.is_ok() {
                count.fetch_add(next.len() as u64, Ordering::SeqCst);
                next = &repeated;
                // It is a slow server that is tested here.
                tokio::time::sleep(pause).await;
            }
        });
        Self { url, written, ended }
    }

    /// What becomes of a request to it with this deadline. It must have been hung up on then.
    async fn called(self, timeout: Duration) -> Result<OutboundResponse, OutboundError> {
        let mut request = get(self.url);
        request.timeout = timeout;
        let client = OutboundClient::new(permitting(&["127.0.0.1"]));
        let outcome =
            tokio::time::timeout(PATIENCE, client.send(request)).await.expect("it outlives its deadline");
        drop(client);
        tokio::time::timeout(PATIENCE, self.ended).await.expect("the connection is left open").unwrap();
        let written = self.written.load(Ordering::SeqCst);
        assert!(written < IN_BETWEEN, "it took {written} bytes: {outcome:?}");
        outcome
    }
}

fn many_headers(count: usize) -> String {
    (0..count).fold(String::new(), |headers, n| format!("{headers}X-{n}: {n}\r\n"))
}

const LONG: Duration = Duration::from_secs(50);
const SHORT: Duration = Duration::from_millis(400);

#[tokio::test]
async fn an_answer_without_end_is_left_at_its_limit() {
    let flood = vec![b'x'; 64 * 1024];
    let chunks = [b"10000\r\n".as_slice(), &flood, b"\r\n"].concat();
    for (beginning, repeated) in [
        ("HTTP/1.1 200 OK\r\n\r\n", flood.clone()),
        ("HTTP/1.0 200 OK\r\n\r\n", flood.clone()),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", chunks.clone()),
        ("HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n", chunks),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n", flood),
    ] {
        let outcome = Endless::start(beginning, repeated, Duration::ZERO).await.called(LONG).await;
        assert_eq!(outcome, Err(OutboundError::TooLarge), "{beginning}");
    }
}

#[tokio::test]
async fn a_head_without_end_is_no_answer() {
    let flood = vec![b'x'; 64 * 1024];
    let lines = many_headers(1_000).into_bytes();
    let ok = "HTTP/1.1 200 OK\r\n";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let many = format!("{ok}{}\r\n", many_headers(10_000));
    for (beginning, repeated) in [
        ("", flood.clone()),
        ("HTTP/1.1 200 ", flood.clone()),
        (ok, lines.clone()),
        (many.as_str(), flood.clone()),
        ("HTTP/1.1 200 OK\r\nX-Long: ", flood.clone()),
        ("HTTP/1.1 200 OK\r\n", b"\t folded\r\n".repeat(1_000)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 36893488147419103232\r\n\r\n", flood.clone()),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", flood.clone()),
        // Between the chunks and behind them.
        (&format!("{chunked}1;x="), flood.clone()),
        (&format!("{chunked}0\r\n"), lines),
        (&format!("{chunked}0\r\nX: "), flood.clone()),
        ("HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n", flood.clone()),
        (chunked, b"1\r\nx\r\n1;".repeat(4_000)),
        (&format!("{chunked}fffffffffffffffff\r\n"), flood.clone()),
        (&format!("{chunked}-1\r\n"), flood),
    ] {
        let outcome = Endless::start(beginning, repeated, Duration::ZERO).await.called(LONG).await;
        let shown = &beginning[..beginning.len().min(80)];
        match outcome {
            Err(OutboundError::Unknown(reason)) => {
                assert!(!reason.starts_with("No response within"), "{shown}");
            }
            other => panic!("{shown}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn an_answer_that_trickles_does_not_outlive_its_deadline() {
    let pause = Duration::from_millis(20);
    for (beginning, repeated) in [
        ("", "H"),
        ("HTTP/1.1 200 ", "O"),
        ("HTTP/1.1 200 OK\r\nX: ", "x"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", "x"),
        ("HTTP/1.1 200 OK\r\n\r\n", " "),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "0"),
        // Answers before the answer.
        ("", "HTTP/1.1 100 Continue\r\n\r\n"),
        ("", "HTTP/1.1 102 Processing\r\n\r\n"),
        ("", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"),
    ] {
        // The first byte must not be taken for the end of a status line.
        let outcome = Endless::start(beginning, repeated, pause).await.called(SHORT).await;
        let Err(OutboundError::Unknown(reason)) = outcome else {
            panic!("{beginning}{repeated}: {outcome:?}")
        };
        assert!(
            reason == "No response within 0.4 seconds" || reason == "The response is not valid HTTP",
            "{beginning}{repeated}: {reason}"
        );
    }
}

/// What says nothing is dropped as it comes, and comes until the deadline.
#[tokio::test]
async fn nothing_said_without_pause_does_not_outlive_the_deadline_either() {
    for (beginning, repeated) in [
        ("", "HTTP/1.1 100 Continue\r\n\r\n"),
        ("", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "0000000000000000"),
    ] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut request = get(format!("http://{}/", listener.local_addr().unwrap()));
        request.timeout = SHORT;
        let server = std::thread::spawn(move || {
            use std::io::Write as _;
            let (mut stream, _) = listener.accept().unwrap();
            let flood = repeated.repeat(100);
            stream.write_all(beginning.as_bytes()).unwrap();
            while stream.write_all(flood.as_bytes()).is_ok() {}
        });
        let client = OutboundClient::new(permitting(&["127.0.0.1"]));
        let outcome =
            tokio::time::timeout(PATIENCE, client.send(request)).await.expect("it outlives its deadline");
        assert!(matches!(outcome, Err(OutboundError::Unknown(_))), "{repeated}: {outcome:?}");
        drop(client);
        tokio::task::spawn_blocking(|| server.join().unwrap()).await.unwrap();
    }
}

#[tokio::test]
async fn a_handshake_that_never_ends_does_not_outlive_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut request = get(format!("https://{}/", listener.local_addr().unwrap()));
    request.timeout = SHORT;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut hello = Vec::new();
        stream.read_to_end(&mut hello).await
    });
    let client = OutboundClient::new(permitting(&["127.0.0.1"]));
    let outcome =
        tokio::time::timeout(PATIENCE, client.send(request)).await.expect("it outlives its deadline");
    assert_eq!(outcome, Err(OutboundError::Unknown("No response within 0.4 seconds".to_owned())));
    let _ = tokio::time::timeout(PATIENCE, server).await.expect("the connection is left open");
}

/// The deadline is of all of them together.
#[tokio::test]
async fn redirects_in_a_circle_end_and_share_one_deadline() {
    let client = OutboundClient::new(permitting(&["127.0.0.1"]));
    for location in ["/", "?", "#top", "./", "?again", "//127.0.0.1:{port}/", "HTTP://x:y@127.0.0.1:{port}/"]
    {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let location = location.replace("{port}", &address.port().to_string());
        let reply = Reply::redirect("307 Temporary Redirect", &location);
        let circle = RecordedServer::start_at(&address.to_string(), vec![reply]).await;
        let outcome = client.send(get(circle.url("/"))).await;
        assert_eq!(outcome, Err(OutboundError::Unknown("More than 5 redirects".to_owned())), "{location}");
        assert_eq!(circle.requests().len(), 6);
    }

    let hanging = RecordedServer::start(vec![Reply::redirect("302 Found", "/next"), Reply::Hang]).await;
    let mut request = get(hanging.url("/"));
    request.timeout = SHORT;
    let outcome = client.send(request).await;
    assert_eq!(outcome, Err(OutboundError::Unknown("No response within 0.4 seconds".to_owned())));
    assert_eq!(hanging.requests().len(), 2);
}

#[tokio::test]
async fn the_endless_body_of_a_redirect_is_not_read() {
    let target = RecordedServer::start(vec![Reply::json("200 OK", "{\"arrived\":true}")]).await;
    let head = format!("HTTP/1.1 302 Found\r\nLocation: {}\r\n\r\n", target.url("/"));
    let response =
        Endless::start(&head, vec![b'x'; 64 * 1024], Duration::ZERO).await.called(LONG).await.unwrap();
    assert_eq!(response.body, b"{\"arrived\":true}");
}

#[tokio::test]
async fn a_redirect_never_leaves_http() {
    for location in [
        "file:///etc/passwd",
        "FILE:/etc/passwd",
        "ftp://127.0.0.1/",
        "gopher://127.0.0.1:6379/_FLUSHALL",
        "dict://127.0.0.1:11211/stats",
        "unix:/var/run/docker.sock",
        "data:application/json,{}",
        "javascript:1",
        "ws://127.0.0.1/",
        "about:blank",
    ] {
        let server = RecordedServer::start(vec![Reply::redirect("302 Found", location)]).await;
        let client = OutboundClient::new(permitting(&["127.0.0.1"]));
        let outcome = client.send(get(server.url("/"))).await;
        assert_eq!(
            outcome,
            Err(OutboundError::Refused("Only absolute http and https URLs can be called".to_owned())),
            "{location}"
        );
        assert_eq!(server.requests().len(), 1);
    }
}

/// We ask for no compression and undo none: what is counted is what came.
#[tokio::test]
async fn compression_bombs_do_not_go_off() {
    let gzip = include_bytes!("ten_mebibytes_of_zeros.gz");
    assert!(gzip.len() < 20_000);
    for encoding in ["gzip", "x-gzip", "deflate", "br", "zstd", "gzip, gzip", "identity, gzip"] {
        let length = gzip.len();
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {length}\r\n\r\n");
        let server = RecordedServer::start(vec![Reply::Write([head.as_bytes(), gzip].concat())]).await;
        let client = OutboundClient::new(permitting(&["127.0.0.1"]));
        let response = client.send(get(server.url("/"))).await.unwrap();
        assert_eq!(response.body, gzip, "{encoding}");
        assert!(!server.requests()[0].contains("accept-encoding"));
    }
    // Compressed as a transfer, too.
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n";
    let chunk = format!("{:x}\r\n", gzip.len());
    let body = [head.as_bytes(), chunk.as_bytes(), gzip, b"\r\n0\r\n\r\n"].concat();
    let server = RecordedServer::start(vec![Reply::WriteAndClose(body)]).await;
    let client = OutboundClient::new(permitting(&["127.0.0.1"]));
    let outcome = client.send(get(server.url("/"))).await;
    assert!(outcome.is_err() || outcome.as_ref().unwrap().body.len() <= MAX_RESPONSE_BYTES, "{outcome:?}");
}
