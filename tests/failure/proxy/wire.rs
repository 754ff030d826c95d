//! PostgreSQL's protocol, as far as messages have to be told apart.

/// One message, whole: its tag, its length, its content.
#[derive(Debug, Clone)]
pub struct Message(pub Vec<u8>);

/// The first message of a connection has no tag.
pub fn take_opening(buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    let length = usize::try_from(u32::from_be_bytes(buffer.get(..4)?.try_into().unwrap())).unwrap();
    (buffer.len() >= length).then(|| buffer.drain(..length).collect())
}

/// What came in until now, by messages; the rest of an unfinished one stays.
pub fn take_messages(buffer: &mut Vec<u8>) -> Vec<Message> {
    let mut messages = Vec::new();
    let mut begin = 0;
    while let Some(length) = buffer.get(begin + 1..begin + 5) {
        let length = usize::try_from(u32::from_be_bytes(length.try_into().unwrap())).unwrap();
        let end = begin + 1 + length;
        if buffer.len() < end {
            break;
        }
        messages.push(Message(buffer[begin..end].to_vec()));
        begin = end;
    }
    buffer.drain(..begin);
    messages
}

impl Message {
    pub fn tag(&self) -> u8 {
        self.0[0]
    }

    /// The zero-terminated texts that its content begins with.
    fn text(&self, number: usize) -> String {
        let text = self.0[5..].split(|byte| *byte == 0).nth(number).unwrap_or_default();
        String::from_utf8_lossy(text).into_owned()
    }

    /// Of `Parse`: the statement's name and what it is.
    pub fn parsed(&self) -> Option<(String, String)> {
        (self.tag() == b'P').then(|| (self.text(0), self.text(1)))
    }

    /// Of `Bind`: the statement's name.
    pub fn bound(&self) -> Option<String> {
        (self.tag() == b'B').then(|| self.text(1))
    }

    /// Of `Query`: what is asked.
    pub fn asked(&self) -> Option<String> {
        (self.tag() == b'Q').then(|| self.text(0))
    }

    /// Of the client: the server does what was said until here, and answers.
    pub fn ends_group(&self) -> bool {
        matches!(self.tag(), b'S' | b'Q')
    }

    /// Of the server: it is ready for the next group. `Some(true)`: and in no transaction.
    pub fn ready(&self) -> Option<bool> {
        (self.tag() == b'Z').then(|| self.0[5] == b'I')
    }
}
