//! A connection that is kept open, and just enough HTTP/1.1 to talk to our server: what the load generator
//! computes, the server next to it cannot.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub struct HttpConnection {
    stream: TcpStream,
    received: Vec<u8>,
}

pub struct Answer {
    pub status: u16,
    pub location: Option<String>,
    pub body: Vec<u8>,
}

impl HttpConnection {
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::with_capacity(1024) })
    }

    /// Sends a whole request and reads the whole answer.
    pub async fn call(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.stream.write_all(request).await?;
        loop {
            if let Some((answer, length)) = read_answer(&self.received)? {
                self.received.drain(..length);
                return Ok(answer);
            }
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

pub fn get(path: &str, key: Option<&str>) -> Vec<u8> {
    let key = key.map(|key| format!("authorization: Bearer {key}\r\n")).unwrap_or_default();
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{key}\r\n").into_bytes()
}

pub fn post(path: &str, key: &str, body: &str) -> Vec<u8> {
    post_with(path, &format!("authorization: Bearer {key}"), body)
}

/// With this header instead of a key's.
pub fn post_with(path: &str, header: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\n{header}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// The answer and its length, if it is all there.
fn read_answer(received: &[u8]) -> io::Result<Option<(Answer, usize)>> {
    let Some(end) = received.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return Ok(None) };
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "not the answer that we understand");
    let head = str::from_utf8(&received[..end]).map_err(|_| malformed())?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).ok_or_else(malformed)?;
    let mut answer = Answer { status, location: None, body: Vec::new() };
    let mut length = None;
    for line in lines {
        let (name, value) = line.split_once(':').ok_or_else(malformed)?;
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse::<usize>().ok();
        } else if name.eq_ignore_ascii_case("location") {
            answer.location = Some(value.trim().to_owned());
        }
    }
    let whole = end + 4 + length.ok_or_else(malformed)?;
    let Some(body) = received.get(end + 4..whole) else { return Ok(None) };
    answer.body = body.to_vec();
    Ok(Some((answer, whole)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_when_it_is_all_there() {
        let text = b"HTTP/1.1 201 Created\r\nLocation: /x/1\r\ncontent-length: 2\r\n\r\nok";
        assert!(read_answer(&text[..20]).unwrap().is_none());
        assert!(read_answer(&text[..text.len() - 1]).unwrap().is_none());
        let (answer, length) = read_answer(text).unwrap().unwrap();
        assert_eq!((answer.status, answer.location.as_deref(), length), (201, Some("/x/1"), text.len()));
        assert_eq!(answer.body, b"ok");
        assert!(read_answer(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
