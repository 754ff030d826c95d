//! A server for tests that answers from a script and records every byte it was sent.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::outbound::{AddressPolicy, OutboundClient, parse_network};

#[derive(Clone)]
pub enum Reply {
    /// These bytes.
    Write(Vec<u8>),
    /// These bytes, and closes the connection.
    WriteAndClose(Vec<u8>),
    /// Reads the request and never answers.
    Hang,
    /// Reads the request and closes the connection.
    Close,
}

impl Reply {
    pub fn json(status: &str, body: &str) -> Self {
        Self::with_headers(status, "Content-Type: application/json\r\n", body)
    }

    pub fn with_headers(status: &str, headers: &str, body: &str) -> Self {
        let length = body.len();
        Self::Write(
            format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}").into_bytes(),
        )
    }

    pub fn redirect(status: &str, location: &str) -> Self {
        Self::with_headers(status, &format!("Location: {location}\r\n"), "")
    }
}

pub struct RecordedServer {
    pub address: SocketAddr,
    log: Arc<Mutex<Log>>,
}

#[derive(Default)]
struct Log {
    requests: Vec<String>,
    connections: usize,
}

impl RecordedServer {
    /// Answers the first request with the first reply and so on; the last reply is repeated.
    pub async fn start(replies: Vec<Reply>) -> Self {
        Self::start_at("127.0.0.1:0", replies).await
    }

    pub async fn start_at(address: &str, replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let log = Arc::new(Mutex::new(Log::default()));
        let shared = Arc::clone(&log);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.lock().unwrap().connections += 1;
                tokio::spawn(serve(stream, replies.clone(), Arc::clone(&shared)));
            }
        });
        Self { address, log }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Every request so far, whole, with this server's address written as `HOST`.
    pub fn requests(&self) -> Vec<String> {
        let host = self.address.to_string();
        self.log.lock().unwrap().requests.iter().map(|request| request.replace(&host, "HOST")).collect()
    }

    /// The JSON bodies of all requests so far.
    pub fn bodies(&self) -> Vec<Value> {
        let body = |request: String| serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap();
        self.requests().into_iter().map(body).collect()
    }

    pub fn connections(&self) -> usize {
        self.log.lock().unwrap().connections
    }
}

/// A client that may call recorded servers.
pub fn loopback_client() -> OutboundClient {
    let allowed = vec![parse_network("127.0.0.1").unwrap()];
    OutboundClient::new(AddressPolicy { allow_private: false, allowed })
}

/// An address where nobody listens.
pub fn closed_url() -> String {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    format!("http://{closed}")
}

/// What becomes of a call whose server has read the request and hangs, when all its time is over.
/// Time only begins to fly once the request is there.
pub async fn given_up<T>(server: &RecordedServer, call: impl Future<Output = T>) -> T {
    let read = async {
        let begun = std::time::Instant::now();
        while server.requests().is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(20), "no request came in");
            tokio::task::yield_now().await;
        }
        tokio::time::pause();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        outcome = call => outcome,
        () = read => unreachable!("it is pending for ever"),
    }
}

async fn serve(mut stream: TcpStream, replies: Vec<Reply>, log: Arc<Mutex<Log>>) {
    while let Some(request) = read_request(&mut stream).await {
        let index = {
            let mut log = log.lock().unwrap();
            log.requests.push(request);
            log.requests.len() - 1
        };
        match replies.get(index).or(replies.last()) {
            Some(Reply::Write(bytes)) => {
                if stream.write_all(bytes).await.is_err() {
                    return;
                }
            }
            Some(Reply::WriteAndClose(bytes)) => {
                // Whoever hangs up early is the client's side of a test.
                let _ = stream.write_all(bytes).await;
                return;
            }
            Some(Reply::Hang) => std::future::pending().await,
            Some(Reply::Close) | None => return,
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        if let Some(head_end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..head_end]).to_lowercase();
            let body_length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse::<usize>().unwrap());
            if bytes.len() >= head_end + 4 + body_length {
                return Some(String::from_utf8_lossy(&bytes).into_owned());
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
