//! Where in a request body something stands, as a JSON pointer. Written out only when it is needed.

use std::fmt;

/// A member or an item of what another pointer points to.
#[derive(Clone, Copy)]
pub(super) struct Pointer<'a> {
    parent: Option<&'a Pointer<'a>>,
    token: Token<'a>,
}

#[derive(Clone, Copy)]
enum Token<'a> {
    Body,
    Member(&'a str),
    Item(usize),
    /// A pointer already written.
    Rest(&'a str),
}

impl Pointer<'_> {
    pub(super) const BODY: Pointer<'static> = Pointer { parent: None, token: Token::Body };
}

impl<'a> Pointer<'a> {
    pub(super) fn member(&'a self, name: &'a str) -> Pointer<'a> {
        Pointer { parent: Some(self), token: Token::Member(name) }
    }

    pub(super) fn item(&'a self, index: usize) -> Pointer<'a> {
        Pointer { parent: Some(self), token: Token::Item(index) }
    }

    pub(super) fn followed_by(&'a self, rest: &'a str) -> Pointer<'a> {
        Pointer { parent: Some(self), token: Token::Rest(rest) }
    }
}

impl fmt::Display for Pointer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.token {
            Token::Body => Ok(()),
            Token::Member(name) => write!(f, "/{}", escape_token(name)),
            Token::Item(index) => write!(f, "/{index}"),
            Token::Rest(rest) => f.write_str(rest),
        }
    }
}

/// A member's name as a JSON pointer spells it.
pub fn escape_token(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_written_from_the_body_down() {
        let steps = Pointer::BODY.member("steps");
        let step = steps.item(3);
        assert_eq!(step.member("a/b~c").to_string(), "/steps/3/a~1b~0c");
        assert_eq!(step.followed_by("/x/0").to_string(), "/steps/3/x/0");
        assert_eq!(Pointer::BODY.to_string(), "");
    }
}
