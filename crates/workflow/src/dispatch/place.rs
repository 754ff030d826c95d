//! Where in a request something stands. Written out only when it is needed (Dispatch 5).

use std::fmt;

#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    Body,
    Member(&'a Place<'a>, &'static str),
    Item(&'a Place<'a>, usize),
}

#[derive(Clone, Copy)]
pub(super) enum Token {
    Member(&'static str),
    Item(usize),
}

impl<'a> Place<'a> {
    pub(super) fn member(&'a self, name: &'static str) -> Place<'a> {
        Place::Member(self, name)
    }

    pub(super) fn item(&'a self, index: usize) -> Place<'a> {
        Place::Item(self, index)
    }

    /// From the body inwards.
    pub(super) fn tokens(&self) -> Vec<Token> {
        let (parent, token) = match *self {
            Place::Body => return Vec::new(),
            Place::Member(parent, name) => (parent, Token::Member(name)),
            Place::Item(parent, index) => (parent, Token::Item(index)),
        };
        let mut tokens = parent.tokens();
        tokens.push(token);
        tokens
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Place::Body => Ok(()),
            Place::Member(Place::Body, name) => f.write_str(name),
            Place::Member(parent, name) => write!(f, "{parent}.{name}"),
            Place::Item(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}
