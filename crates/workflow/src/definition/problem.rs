//! Problems of a definition, and the list they are gathered in.

use super::pointer::Pointer;

/// Beyond this a list helps nobody.
const MOST: usize = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// It cannot be saved.
    Error,
    /// It can, and is probably not meant so.
    Warning,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub severity: Severity,
    /// Of an error, what saving answers.
    pub message: String,
    /// The id of the step that it is about.
    pub step: Option<String>,
    /// JSON pointer into the request body, whose members are spelled as there.
    pub path: String,
    /// Of a body that is no JSON, from 1.
    pub line: Option<usize>,
    /// From 1: in that line, or of a script in the text that it stands in.
    pub column: Option<usize>,
    /// The parser's words.
    pub detail: Option<String>,
}

impl Problem {
    pub(super) fn error(message: impl Into<String>, path: &Pointer) -> Self {
        Self {
            severity: Severity::Error,
            message: message.into(),
            step: None,
            path: path.to_string(),
            line: None,
            column: None,
            detail: None,
        }
    }

    pub(super) fn warning(message: impl Into<String>, path: &Pointer) -> Self {
        Self { severity: Severity::Warning, ..Self::error(message, path) }
    }

    pub(super) fn of_step(self, id: &str) -> Self {
        Self { step: Some(id.to_owned()), ..self }
    }
}

pub(super) struct Problems {
    found: Vec<Problem>,
    most: usize,
}

impl Problems {
    pub(super) fn all() -> Self {
        Self { found: Vec::new(), most: MOST }
    }

    pub(super) fn first() -> Self {
        Self { most: 1, ..Self::all() }
    }

    pub(super) fn push(&mut self, problem: Problem) {
        if !self.is_full() {
            self.found.push(problem);
        }
    }

    pub(super) fn error(&mut self, message: impl Into<String>, path: &Pointer) {
        self.push(Problem::error(message, path));
    }

    /// Whether looking for more is in vain.
    pub(super) fn is_full(&self) -> bool {
        self.found.len() >= self.most
    }

    pub(super) fn into_first(self) -> Option<Problem> {
        self.found.into_iter().next()
    }

    pub(super) fn into_vec(mut self) -> Vec<Problem> {
        if self.is_full() {
            let message = format!("There may be more problems than these {MOST}.");
            self.found.push(Problem::warning(message, &Pointer::BODY));
        }
        self.found
    }
}
