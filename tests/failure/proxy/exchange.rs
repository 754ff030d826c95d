//! Which exchange is to be cut, where, and how; and how far a connection is in it.

use std::collections::HashMap;

use super::wire::Message;

/// A transaction as the wire shows it: from the first message after the server was idle until it is idle again.
#[derive(Debug, Clone, Copy)]
pub enum Exchange {
    /// A statement by itself, with these words in it.
    Statement(&'static str),
    /// A transaction of several statements, by a client that gave this name of itself.
    Transaction(&'static str),
}

/// What the network does at one point of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The client's n-th message and all after it never arrive.
    MessageLost(usize),
    /// The server does what it is asked, and its n-th message and all after it never arrive.
    AnswerLost(usize),
    /// The client's n-th statement is under way for longer than the client waits, and arrives then.
    StatementLate(usize),
    /// The same, but only its end is: the server has done it and may not commit yet.
    EndLate(usize),
    /// The client's n-th statement and everything that it says on its other connections never arrive, and nobody tells
    /// the server: it waits, and holds its locks.
    ClientGone(usize),
}

/// What comes of a group of the client's messages.
pub enum Deed {
    Forward(Vec<u8>),
    /// Forward this much, then close both sides.
    Lose(Vec<u8>),
    /// Forward the first, keep the second until it is released; the client is gone meanwhile.
    Hold(Vec<u8>, Vec<u8>),
    /// The client is gone, and the server does not learn it before it is released.
    Leave,
}

/// Of one connection.
pub struct Progress {
    /// What the client calls itself.
    pub name: String,
    statements: HashMap<String, String>,
    idle: bool,
    group: Vec<Message>,
    cut: Option<Cut>,
    said: usize,
    groups: usize,
    answered: usize,
}

impl Progress {
    pub fn of(opening: &[u8]) -> Self {
        let texts: Vec<String> = opening
            .get(8..)
            .unwrap_or_default()
            .split(|byte| *byte == 0)
            .map(|text| String::from_utf8_lossy(text).into_owned())
            .collect();
        let name = texts.iter().position(|text| text == "application_name").and_then(|at| texts.get(at + 1));
        Self {
            name: name.cloned().unwrap_or_default(),
            statements: HashMap::new(),
            idle: true,
            group: Vec::new(),
            cut: None,
            said: 0,
            groups: 0,
            answered: 0,
        }
    }

    pub fn is_cut(&self) -> bool {
        self.cut.is_some()
    }

    /// A message of the client; `armed` answers the cut that is to be made, if this exchange is the one.
    pub fn hear(&mut self, message: Message, armed: impl FnOnce(&Self, &str) -> Option<Cut>) -> Option<Deed> {
        if let Some((name, statement)) = message.parsed() {
            self.statements.insert(name, statement);
        }
        if std::mem::replace(&mut self.idle, false) {
            let bound = message.bound().and_then(|name| self.statements.get(&name).cloned());
            if let Some(statement) = bound.or_else(|| message.asked()) {
                self.cut = armed(self, &statement);
                (self.said, self.groups, self.answered) = (0, 0, 0);
            }
        }
        let ends = message.ends_group();
        self.group.push(message);
        ends.then(|| self.decide())
    }

    fn decide(&mut self) -> Deed {
        let group = std::mem::take(&mut self.group);
        let (said, number) = (self.said, self.groups);
        self.said += group.len();
        self.groups += 1;
        match self.cut {
            Some(Cut::MessageLost(n)) if n < said + group.len() => Deed::Lose(joined(&group[..n - said])),
            Some(Cut::StatementLate(n)) if n == number => Deed::Hold(Vec::new(), joined(&group)),
            Some(Cut::EndLate(n)) if n == number => {
                let (end, before) = group.split_last().expect("its end is there");
                Deed::Hold(joined(before), joined(std::slice::from_ref(end)))
            }
            Some(Cut::ClientGone(n)) if n == number => Deed::Leave,
            _ => Deed::Forward(joined(&group)),
        }
    }

    /// A message of the server; answers whether it arrives, and whether the exchange passed uncut.
    pub fn answer(&mut self, message: &Message) -> (bool, bool) {
        let arrives = self.cut != Some(Cut::AnswerLost(self.answered));
        self.answered += 1;
        if message.ready() != Some(true) {
            return (arrives, false);
        }
        self.idle = true;
        (arrives, arrives && self.cut.take().is_some())
    }
}

fn joined(messages: &[Message]) -> Vec<u8> {
    messages.iter().flat_map(|message| message.0.iter().copied()).collect()
}
