//! What the parent says.

use std::collections::HashSet;

use serde::Serialize;

use super::frame::{FrameReader, FrameWriter};
use crate::Limits;
use crate::template::{Mode, Script};

const START: u8 = 0;
const EVALUATE: u8 = 1;

/// A request as a child reads it.
pub(crate) enum Request<'a> {
    Start(Limits),
    Evaluate { account: &'a str, data: &'a [u8], step: &'a [u8], actions: Vec<Action<'a>> },
}

/// One thing to do with `data` and `step`, in order.
pub(crate) enum Action<'a> {
    /// Call a function; its result is answered, and becomes that member of `data` if there is a name.
    Call { id: u64, mode: Mode, mutates: bool, source: Option<&'a str>, assign: Option<&'a str> },
    /// Set a member of `data` to a JSON value.
    Assign { key: &'a str, json: &'a [u8] },
}

impl<'a> Request<'a> {
    pub fn read(frame: &'a [u8]) -> Option<Request<'a>> {
        let mut frame = FrameReader::new(frame);
        match frame.u8()? {
            START => Some(Request::Start(Limits {
                timeout: frame.duration()?,
                memory_bytes: frame.u32()?,
                stack_bytes: frame.u32()?,
                result_bytes: frame.u32()?,
                total_bytes: frame.u32()?,
                depth: frame.u32()?,
                sandboxes: frame.u32()?,
            })),
            EVALUATE => {
                let (account, data, step) = (frame.text()?, frame.bytes()?, frame.bytes()?);
                let count = frame.u32()?;
                let actions = (0..count).map(|_| Action::read(&mut frame)).collect::<Option<_>>()?;
                Some(Request::Evaluate { account, data, step, actions })
            }
            _ => None,
        }
    }

    /// The first frame of a conversation.
    pub fn start_frame(limits: &Limits) -> Vec<u8> {
        let mut frame = FrameWriter::new(START);
        frame.duration(limits.timeout);
        frame.u32(limits.memory_bytes);
        frame.u32(limits.stack_bytes);
        frame.u32(limits.result_bytes);
        frame.u32(limits.total_bytes);
        frame.u32(limits.depth);
        frame.u32(limits.sandboxes);
        frame.finish().expect("seven numbers fit")
    }
}

impl<'a> Action<'a> {
    fn read(frame: &mut FrameReader<'a>) -> Option<Action<'a>> {
        match frame.u8()? {
            0 => Some(Action::Assign { key: frame.text()?, json: frame.bytes()? }),
            _ => Some(Action::Call {
                id: frame.u64()?,
                mode: if frame.u8()? == 0 { Mode::Value } else { Mode::Truth },
                mutates: frame.u8()? != 0,
                source: optional(frame).ok()?,
                assign: optional(frame).ok()?,
            }),
        }
    }
}

/// A text that may be left out, unless the frame is broken.
fn optional<'a>(frame: &mut FrameReader<'a>) -> Result<Option<&'a str>, Broken> {
    match frame.u8().ok_or(Broken)? {
        0 => Ok(None),
        _ => frame.text().map(Some).ok_or(Broken),
    }
}

struct Broken;

/// An evaluation as the parent writes it.
pub(crate) struct EvaluateFrame<'k> {
    frame: FrameWriter,
    count_at: usize,
    count: usize,
    /// The functions that the child has, as far as the parent knows.
    known: &'k HashSet<u64>,
}

impl<'k> EvaluateFrame<'k> {
    pub fn new(
        account: &str,
        data: &impl Serialize,
        step: &impl Serialize,
        known: &'k HashSet<u64>,
    ) -> EvaluateFrame<'k> {
        let mut frame = FrameWriter::new(EVALUATE);
        frame.bytes(account.as_bytes());
        frame.json(data);
        frame.json(step);
        let count_at = frame.position();
        frame.u32(0);
        EvaluateFrame { frame, count_at, count: 0, known }
    }

    pub fn call(&mut self, script: &Script, mode: Mode, assign: Option<&str>) {
        self.count += 1;
        self.frame.u8(1);
        self.frame.u64(script.id);
        self.frame.u8(u8::from(mode == Mode::Truth));
        self.frame.u8(u8::from(script.mutates));
        self.optional((!self.known.contains(&script.id)).then_some(script.source.as_str()));
        self.optional(assign);
    }

    pub fn assign(&mut self, key: &str, value: &impl Serialize) {
        self.count += 1;
        self.frame.u8(0);
        self.frame.bytes(key.as_bytes());
        self.frame.json(value);
    }

    pub fn finish(mut self) -> Option<Vec<u8>> {
        self.frame.patch(self.count_at, self.count);
        self.frame.finish()
    }

    fn optional(&mut self, text: Option<&str>) {
        self.frame.u8(u8::from(text.is_some()));
        if let Some(text) = text {
            self.frame.bytes(text.as_bytes());
        }
    }
}
