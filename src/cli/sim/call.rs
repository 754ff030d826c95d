//! A user's phone rings.

use std::str::FromStr;

use clap::Subcommand;
use serde_json::{Value, json};
use uuid::Uuid;

use super::report::{check_taken, text};
use crate::cli::call_server::Server;
use crate::cli::error::CliError;
use crate::cli::print_table::table;

/// List the calls that were placed, or take one: answer it, press keys, hang up
#[derive(Debug, clap::Args)]
pub(super) struct Call {
    /// The call's id, as the list shows it, or `last`
    #[arg(value_name = "CALL")]
    call: Option<Which>,
    #[command(subcommand)]
    step: Option<Step>,
}

/// A call by its id, or the newest one.
#[derive(Debug, Clone, Copy)]
enum Which {
    Last,
    Uid(Uuid),
}

impl FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "last" => Ok(Self::Last),
            uid => Uuid::parse_str(uid)
                .map(Self::Uid)
                .map_err(|_| "a call is named by its id, as `sim call list` shows it, or `last`".to_owned()),
        }
    }
}

impl Which {
    fn path(self) -> String {
        match self {
            Self::Last => "/sandbox/calls/last".to_owned(),
            Self::Uid(uid) => format!("/sandbox/calls/{uid}"),
        }
    }
}

#[derive(Debug, Subcommand)]
enum Step {
    /// List the calls, newest first
    List,
    /// Pick up
    Answer,
    /// Press keys, and pick up first if it still rings
    Dtmf {
        /// The keys of one try: digits, `*`, `#`; without them none is pressed until the time is up
        digits: Option<String>,
    },
    /// The line is taken
    Busy,
    /// Nobody comes to the phone
    NoAnswer,
    /// Hang up
    Hangup,
}

impl Call {
    pub(super) async fn run(self, server: &Server) -> Result<(), CliError> {
        let which = self.call.unwrap_or(Which::Last);
        let (path, body) = match self.step {
            None if self.call.is_none() => return list(server).await,
            None => return show(server, which).await,
            Some(Step::List) => return list(server).await,
            Some(Step::Answer) => ("answer", json!({})),
            Some(Step::Dtmf { digits }) => ("dtmf", json!({"digits": digits})),
            Some(Step::Busy) => ("busy", json!({})),
            Some(Step::NoAnswer) => ("no-answer", json!({})),
            Some(Step::Hangup) => ("hangup", json!({})),
        };
        let path = format!("{}/{path}", which.path());
        let call = server.post(&path, body.to_string().into_bytes()).await?;
        println!("{}", describe(&call));
        let events = call["webhooks"].as_array().into_iter().flatten();
        for event in events {
            println!("  {} was answered with {}", text(&event["event"]), event["status"]);
        }
        print_notes(&call);
        if call["webhookStatus"].is_null() {
            return Ok(());
        }
        check_taken(server, &call, "an event of the call was not taken")
    }
}

async fn list(server: &Server) -> Result<(), CliError> {
    let answer = server.get("/sandbox/calls").await?;
    let rows: Vec<_> = answer
        .as_array()
        .into_iter()
        .flatten()
        .map(|call| {
            let said = if call["text"].is_null() { &call["fileUrl"] } else { &call["text"] };
            let state = if call["result"].is_null() { &call["state"] } else { &call["result"] };
            [
                &call["sentAt"],
                &call["uid"],
                &call["action"],
                &call["destination"],
                state,
                &call["digits"],
                said,
            ]
            .map(cell)
        })
        .collect();
    if rows.is_empty() {
        println!("Nobody was called.");
    }
    print!("{}", table(["placed", "id", "action", "to", "state", "digits", "text"], &rows));
    Ok(())
}

async fn show(server: &Server, which: Which) -> Result<(), CliError> {
    let call = server.get(&which.path()).await?;
    println!("{}", describe(&call));
    for (name, member) in [("from", "source"), ("to", "destination"), ("says", "text"), ("plays", "fileUrl")]
    {
        if !call[member].is_null() {
            println!("  {name} {}", text(&call[member]));
        }
    }
    print_notes(&call);
    Ok(())
}

fn print_notes(call: &Value) {
    for note in call["notes"].as_array().into_iter().flatten() {
        println!("  note: {}", text(note));
    }
}

fn describe(call: &Value) -> String {
    let uid = text(&call["uid"]);
    let state = text(&call["state"]);
    match (call["triesLeft"].as_u64(), call["result"].as_str()) {
        (_, Some(result)) => match call["digits"].as_str() {
            Some(digits) => format!("Call {uid} has ended: {result}, digits {digits}"),
            None => format!("Call {uid} has ended: {result}"),
        },
        (Some(tries), None) => format!("Call {uid} is {state} and waits for digits, tries left: {tries}"),
        (None, None) => format!("Call {uid} is {state}"),
    }
}

/// Nothing where there is nothing.
fn cell(value: &Value) -> String {
    if value.is_null() { String::new() } else { text(value) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::{Call, Step, Which, describe};

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        call: Call,
    }

    fn parse(words: &[&str]) -> Result<Call, clap::Error> {
        Line::try_parse_from(["call"].iter().chain(words)).map(|line| line.call)
    }

    #[test]
    fn a_call_is_named_before_what_is_done_with_it() {
        assert!(matches!(parse(&[]).unwrap(), Call { call: None, step: None }));
        assert!(matches!(parse(&["list"]).unwrap(), Call { call: None, step: Some(Step::List) }));
        let last = parse(&["last", "answer"]).unwrap();
        assert!(matches!(last, Call { call: Some(Which::Last), step: Some(Step::Answer) }));
        let pressed = parse(&["last", "dtmf", "12#"]).unwrap();
        assert!(matches!(pressed.step, Some(Step::Dtmf { digits: Some(digits) }) if digits == "12#"));
        let silent = parse(&["d9874358-0000-4c50-8bab-1eb634482a94", "dtmf"]).unwrap();
        assert!(matches!(silent.step, Some(Step::Dtmf { digits: None })));
        assert!(matches!(silent.call, Some(Which::Uid(_))));
        assert!(matches!(parse(&["last", "no-answer"]).unwrap().step, Some(Step::NoAnswer)));
        assert!(parse(&["first", "answer"]).is_err());
        assert!(parse(&["last", "sing"]).is_err());
    }

    #[test]
    fn a_call_is_described_by_what_can_be_done_next() {
        for (call, description) in [
            (json!({"uid": "u", "state": "ringing"}), "Call u is ringing"),
            (
                json!({"uid": "u", "state": "answered", "triesLeft": 2}),
                "Call u is answered and waits for digits, tries left: 2",
            ),
            (json!({"uid": "u", "state": "ended", "result": "BUSY"}), "Call u has ended: BUSY"),
            (
                json!({"uid": "u", "state": "ended", "result": "COMPLETED", "digits": "2"}),
                "Call u has ended: COMPLETED, digits 2",
            ),
        ] {
            assert_eq!(describe(&call), description);
        }
    }
}
