//! The names of things: accounts, definitions, instances, jobs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A definition's version, counted from 1.
pub type Version = i32;

/// The tenant, an opaque text (spec 1).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(String);

impl AccountId {
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A random UUID (U-13).
pub type DefinitionId = Uuid;

/// 24 lower-case hex digits on the wire: 4 bytes Unix seconds, 5 random bytes, a 3-byte counter (U-12).
/// Sorts by time of start.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstanceId([u8; 12]);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("an instance id has 24 hexadecimal digits")]
pub struct MalformedInstanceId;

impl InstanceId {
    /// `seconds` since the Unix epoch; `process` is random per process; `count` is taken modulo 2^24.
    pub fn from_parts(seconds: u32, process: [u8; 5], count: u32) -> Self {
        let mut bytes = [0; 12];
        bytes[..4].copy_from_slice(&seconds.to_be_bytes());
        bytes[4..9].copy_from_slice(&process);
        bytes[9..].copy_from_slice(&count.to_be_bytes()[1..]);
        Self(bytes)
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MalformedInstanceId> {
        bytes.try_into().map(Self).map_err(|_| MalformedInstanceId)
    }

    pub fn as_bytes(&self) -> &[u8; 12] {
        &self.0
    }

    pub fn seconds(&self) -> u32 {
        u32::from_be_bytes([self.0[0], self.0[1], self.0[2], self.0[3]])
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for InstanceId {
    type Err = MalformedInstanceId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != 24 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(MalformedInstanceId);
        }
        let mut bytes = [0; 12];
        for (byte, at) in bytes.iter_mut().zip((0..24).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| MalformedInstanceId)?;
        }
        Ok(Self(bytes))
    }
}

/// One execution of one step of one instance: the instance and the number of the job in it.
///
/// As a UUID (version 8) it is the log entry's id and the idempotency key of every attempt: the twelve
/// bytes of the instance and 26 bits of the number, around the six fixed bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId {
    pub instance: InstanceId,
    pub n: i32,
}

impl JobId {
    pub fn new(instance: InstanceId, n: i32) -> Self {
        Self { instance, n }
    }

    pub fn as_uuid(self) -> Uuid {
        let mut bits: u128 = 0;
        for byte in self.instance.0 {
            bits = bits << 8 | u128::from(byte);
        }
        let number = u128::try_from(self.n).expect("jobs are counted from 1") & ((1 << 26) - 1);
        let payload = bits << 26 | number;
        let high = payload >> 74;
        let middle = (payload >> 62) & 0xfff;
        let low = payload & ((1 << 62) - 1);
        Uuid::from_u128(high << 80 | 8 << 76 | middle << 64 | 0b10 << 62 | low)
    }

    /// The job that a UUID made by [`JobId::as_uuid`] names, `None` for any other UUID.
    pub fn from_uuid(uuid: Uuid) -> Option<Self> {
        let bits = uuid.as_u128();
        if (bits >> 76) & 0xf != 8 || (bits >> 62) & 0b11 != 0b10 {
            return None;
        }
        let payload = (bits >> 80) << 74 | ((bits >> 64) & 0xfff) << 62 | bits & ((1 << 62) - 1);
        let n = i32::try_from(payload & ((1 << 26) - 1)).ok()?;
        let instance = (payload >> 26).to_be_bytes();
        Some(Self { instance: InstanceId::from_bytes(&instance[4..]).ok()?, n })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_id_is_24_lower_case_hex_digits_sorted_by_time() {
        let id = InstanceId::from_parts(0x66b1_f0c2, [0xa9, 0x4d, 0x5e, 0x0f, 0x1c], 0x002b_3a4d);
        assert_eq!(id.to_string(), "66b1f0c2a94d5e0f1c2b3a4d");
        assert_eq!("66B1F0C2A94D5E0F1C2B3A4D".parse(), Ok(id));
        assert_eq!("66b1f0c2a94d5e0f1c2b3a4".parse::<InstanceId>(), Err(MalformedInstanceId));
        assert_eq!("66b1f0c2a94d5e0f1c2b3a4g".parse::<InstanceId>(), Err(MalformedInstanceId));
        assert!(id < InstanceId::from_parts(0x66b1_f0c3, [0; 5], 0));
    }

    #[test]
    fn a_job_id_is_a_uuid_and_comes_back_from_it() {
        let instance = InstanceId::from_parts(u32::MAX, [0xff, 0, 0xa5, 1, 2], 7);
        for n in [1, 2, 10_000, (1 << 26) - 1] {
            let job = JobId::new(instance, n);
            assert_eq!(job.as_uuid().get_version_num(), 8);
            assert_eq!(JobId::from_uuid(job.as_uuid()), Some(job));
        }
        assert_eq!(JobId::from_uuid(Uuid::nil()), None);
    }
}
