//! Who is measured, and what is known of each before.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    Node,
    Rust,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Five durable steps one after the other.
    Workflows,
    /// The same, where the workflows cannot wait to be begun: their starts are within the time.
    WorkflowsWithStarts,
    /// Jobs without outputs and without a next step: a job is not a step.
    Queue,
}

#[derive(Debug, Clone, Copy)]
pub struct Peer {
    pub name: &'static str,
    pub language: Language,
    pub kind: Kind,
}

const fn node(name: &'static str, kind: Kind) -> Peer {
    Peer { name, language: Language::Node, kind }
}

const fn rust(name: &'static str, kind: Kind) -> Peer {
    Peer { name, language: Language::Rust, kind }
}

pub const PEERS: [Peer; 9] = [
    node("openworkflow", Kind::Workflows),
    node("dbos", Kind::Workflows),
    node("absurd", Kind::Workflows),
    rust("apalis-workflow", Kind::Workflows),
    node("restate", Kind::WorkflowsWithStarts),
    node("pg-boss", Kind::Queue),
    node("graphile-worker", Kind::Queue),
    rust("graphile_worker", Kind::Queue),
    rust("apalis-postgres", Kind::Queue),
];

/// What `--peers` takes; `all` for all of them.
pub fn names() -> Vec<&'static str> {
    let mut names = vec!["all"];
    names.extend(PEERS.map(|peer| peer.name));
    names
}
