//! What an input of a step is: one table for the check of definitions, their JSON Schema, and forms.

/// One input, or a member of one.
#[derive(Debug, Clone, Copy)]
pub struct Input {
    pub name: &'static str,
    pub kind: Kind,
    /// It must be there and not null (V10). Members of inputs are never asked for.
    pub required: bool,
    /// For people who write definitions, in Markdown.
    pub description: &'static str,
}

/// The value of an input. A text with `{{ }}` may always stand in its place.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Numbers and booleans are taken as text.
    Text,
    Integer,
    Number,
    Boolean,
    /// `d.HH:mm:ss` (V12).
    Timespan,
    /// One of these in any letter case, and nothing else (V15).
    Choice(&'static [&'static str]),
    /// A text, usually one of these.
    Known(&'static [&'static str]),
    /// A text of those, or several.
    Several(&'static [&'static str]),
    /// An object with these members and others.
    Object(&'static [Input]),
    /// A script or a boolean.
    Condition,
    Any,
}

impl Input {
    pub(crate) const fn required(name: &'static str, kind: Kind, description: &'static str) -> Self {
        Self { name, kind, required: true, description }
    }

    pub(crate) const fn optional(name: &'static str, kind: Kind, description: &'static str) -> Self {
        Self { name, kind, required: false, description }
    }
}
