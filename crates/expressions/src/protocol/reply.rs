//! What a child says.

use std::time::Duration;

use super::frame::{FrameReader, FrameWriter};

const READY: u8 = 0;
const PROGRESS: u8 = 1;
const MISSING: u8 = 2;
const DONE: u8 = 3;
const FAULT: u8 = 4;

/// An answer. The processor time is all that the child has used so far: by it the parent tells a child that
/// is busy from one that the machine does not let run. `slow`: for this request it was too much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    Ready,
    Progress {
        used: Duration,
    },
    Missing {
        used: Duration,
    },
    /// The results of the calls as JSON, in order.
    Done {
        used: Duration,
        slow: bool,
        results: Vec<Vec<u8>>,
    },
    /// A script failed, this one when it is known which.
    Fault {
        used: Duration,
        slow: bool,
        call: Option<usize>,
        detail: String,
    },
}

impl Reply {
    /// The processor time that the child has used; when it is ready that is next to nothing.
    pub fn used(&self) -> Duration {
        match self {
            Reply::Ready => Duration::ZERO,
            Reply::Progress { used }
            | Reply::Missing { used }
            | Reply::Done { used, .. }
            | Reply::Fault { used, .. } => *used,
        }
    }

    pub fn frame(&self) -> Option<Vec<u8>> {
        let start = |kind, used: &Duration| {
            let mut frame = FrameWriter::new(kind);
            frame.duration(*used);
            frame
        };
        let frame = match self {
            Reply::Ready => FrameWriter::new(READY),
            Reply::Progress { used } => start(PROGRESS, used),
            Reply::Missing { used } => start(MISSING, used),
            Reply::Done { used, slow, results } => {
                let mut frame = start(DONE, used);
                frame.u8(u8::from(*slow));
                frame.u32(results.len());
                for result in results {
                    frame.bytes(result);
                }
                frame
            }
            Reply::Fault { used, slow, call, detail } => {
                let mut frame = start(FAULT, used);
                frame.u8(u8::from(*slow));
                frame.u32(call.map_or(0, |call| call + 1));
                frame.bytes(detail.as_bytes());
                frame
            }
        };
        frame.finish()
    }

    pub fn read(frame: &[u8]) -> Option<Reply> {
        let mut frame = FrameReader::new(frame);
        Some(match frame.u8()? {
            READY => Reply::Ready,
            PROGRESS => Reply::Progress { used: frame.duration()? },
            MISSING => Reply::Missing { used: frame.duration()? },
            DONE => {
                let (used, slow) = (frame.duration()?, frame.u8()? != 0);
                let count = frame.u32()?;
                let results = (0..count).map(|_| frame.bytes().map(<[u8]>::to_vec)).collect::<Option<_>>()?;
                Reply::Done { used, slow, results }
            }
            FAULT => {
                let (used, slow) = (frame.duration()?, frame.u8()? != 0);
                let call = frame.u32()?.checked_sub(1);
                Reply::Fault { used, slow, call, detail: frame.text()?.to_owned() }
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_read_as_they_were_written() {
        let used = Duration::from_micros(1234);
        for reply in [
            Reply::Ready,
            Reply::Progress { used },
            Reply::Missing { used },
            Reply::Done { used, slow: true, results: vec![b"null".to_vec(), b"\"x\"".to_vec()] },
            Reply::Fault { used, slow: true, call: None, detail: "no".into() },
            Reply::Fault { used, slow: false, call: Some(0), detail: "no".into() },
        ] {
            let frame = reply.frame().unwrap();
            assert_eq!(frame.len() - 4, u32::from_le_bytes(frame[..4].try_into().unwrap()) as usize);
            assert_eq!(Reply::read(&frame[4..]), Some(reply.clone()));
            assert_eq!(Reply::read(&frame[4..frame.len() - 1]), None, "{reply:?}");
        }
    }
}
