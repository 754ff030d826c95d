//! Frames, and the few kinds of fields in them.

use std::time::Duration;

use serde::Serialize;

/// A frame that is longer is taken for nonsense. It leaves room for the largest contexts.
pub(crate) const MAX_FRAME_BYTES: usize = 64 * 1024 * 1024;

/// A frame as it is written.
pub(crate) struct FrameWriter(Vec<u8>);

impl FrameWriter {
    pub fn new(kind: u8) -> FrameWriter {
        FrameWriter(vec![0, 0, 0, 0, kind])
    }

    pub fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub fn u32(&mut self, value: usize) {
        // Too long fields make the frame too long, and that is looked at once, in `finish`.
        self.0.extend(u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes());
    }

    pub fn u64(&mut self, value: u64) {
        self.0.extend(value.to_le_bytes());
    }

    pub fn duration(&mut self, value: Duration) {
        self.u64(u64::try_from(value.as_micros()).unwrap_or(u64::MAX));
    }

    pub fn bytes(&mut self, value: &[u8]) {
        self.u32(value.len());
        self.0.extend(value);
    }

    pub fn json(&mut self, value: &impl Serialize) {
        let start = self.0.len();
        self.u32(0);
        serde_json::to_writer(&mut self.0, value).expect("a value with text keys goes into memory");
        let length = self.0.len() - start - 4;
        self.patch(start, length);
    }

    /// Sets a number that was written before.
    pub fn patch(&mut self, at: usize, value: usize) {
        self.0[at..at + 4].copy_from_slice(&u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes());
    }

    pub fn position(&self) -> usize {
        self.0.len()
    }

    /// The frame with its length, or none if it is too long.
    pub fn finish(mut self) -> Option<Vec<u8>> {
        let length = self.0.len() - 4;
        self.patch(0, length);
        (length <= MAX_FRAME_BYTES).then_some(self.0)
    }
}

/// A frame as it is read; every field may turn out to be missing.
pub(crate) struct FrameReader<'a>(&'a [u8]);

impl<'a> FrameReader<'a> {
    /// Reads a frame without its length.
    pub fn new(frame: &'a [u8]) -> FrameReader<'a> {
        FrameReader(frame)
    }

    pub fn u8(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    pub fn u32(&mut self) -> Option<usize> {
        self.take().map(u32::from_le_bytes).and_then(|value| usize::try_from(value).ok())
    }

    pub fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    pub fn duration(&mut self) -> Option<Duration> {
        self.u64().map(Duration::from_micros)
    }

    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    pub fn text(&mut self) -> Option<&'a str> {
        self.bytes().and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*bytes)
    }
}
