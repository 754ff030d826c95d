//! A conversation with one evaluator child.

use std::collections::HashSet;
use std::io;
use std::pin::pin;
use std::process;
use std::time::Duration;

use rustix::process::{Pid, setpriority_process};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep_until};

use super::processor_time::processor_time_of;
use super::spawn_children::{Spawned, Spawner};
use crate::Limits;
use crate::protocol::{MAX_FRAME_BYTES, Reply, Request};

/// How long a child may take until it is ready; it takes some milliseconds on an idle machine.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// What is granted beyond the time of a script: for reading the data, for scripts that were done before
/// without a sign of life, and for the way.
const GRACE: Duration = Duration::from_millis(150);

/// How many times its time a child may be silent when the machine does not let it run.
const PATIENCE: u32 = 40;

/// How far the system's word about a child's processor time may be off.
const CLOCK_ERROR: Duration = Duration::from_millis(30);

/// Above this the set of known functions is begun anew.
const MAX_KNOWN: usize = 16 * 1024;

/// A child that waits for a request. Dropped, it is killed: that also ends a request whose future was
/// dropped.
#[derive(Debug)]
pub(super) struct Child {
    socket: BufReader<UnixStream>,
    process: Option<process::Child>,
    spawner: Spawner,
    limits: Limits,
    /// The functions that were sent to it.
    pub known: HashSet<u64>,
    /// The processor time that it had used at its last sign of life.
    used: Duration,
}

/// Why a child gave no answer; it is of no use any more.
#[derive(Debug)]
pub(super) enum Lost {
    /// A script ran too long, somewhere where the engine cannot stop it.
    TimedOut,
    /// The machine did not let it run.
    Starved,
    /// It ended.
    Ended(io::Error),
}

impl Child {
    /// Starts a child and waits until it is ready. If it may not be as nice as that, it is as others are.
    pub async fn start(spawner: &Spawner, limits: Limits, niceness: i32) -> io::Result<Child> {
        let Spawned { child: process, socket } = spawner.spawn().await?;
        let id = i32::try_from(process.id()).ok().and_then(Pid::from_raw);
        let mut child = Child {
            socket: BufReader::new(UnixStream::from_std(socket)?),
            process: Some(process),
            spawner: spawner.clone(),
            limits,
            known: HashSet::new(),
            used: Duration::ZERO,
        };
        child.socket.write_all(&Request::start_frame(&limits)).await?;
        let ready = tokio::time::timeout(START_TIMEOUT, read_reply(&mut child.socket));
        match ready.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?? {
            Reply::Ready => {
                if niceness > 0 && id.is_some() {
                    let _ = setpriority_process(id, niceness);
                }
                Ok(child)
            }
            other => Err(io::Error::other(format!("it began with {other:?}"))),
        }
    }

    /// Sends a request and waits for its answer, as long as scripts may take.
    pub async fn ask(&mut self, frame: &[u8]) -> Result<Reply, Lost> {
        let process = self.process.as_ref().map_or(0, process::Child::id);
        let mut unsent = Some(frame);
        loop {
            let reply = patiently(&self.limits, process, self.used, async {
                if let Some(frame) = unsent.take() {
                    self.socket.write_all(frame).await?;
                }
                read_reply(&mut self.socket).await
            })
            .await?;
            self.used = reply.used();
            if !matches!(reply, Reply::Progress { .. }) {
                return Ok(reply);
            }
        }
    }

    pub fn remember(&mut self, scripts: impl Iterator<Item = u64>) {
        if self.known.len() > MAX_KNOWN {
            self.known.clear();
        }
        self.known.extend(scripts);
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            self.spawner.end(process);
        }
    }
}

/// Waits for a sign of life of a child that had used so much processor time at the last one.
async fn patiently(
    limits: &Limits,
    process: u32,
    used: Duration,
    reply: impl Future<Output = io::Result<Reply>>,
) -> Result<Reply, Lost> {
    let timeout = limits.timeout + GRACE;
    let mut reply = pin!(reply);
    let mut deadline = Instant::now() + timeout;
    for _ in 0..PATIENCE {
        tokio::select! {
            biased;
            reply = &mut reply => return reply.map_err(Lost::Ended),
            () = sleep_until(deadline) => {}
        }
        // A child that had no processor is not at fault; without the system's word it is.
        let now = processor_time_of(process);
        let has_used = now.map_or(timeout, |now| now.saturating_sub(used));
        if has_used + CLOCK_ERROR >= limits.timeout {
            return Err(Lost::TimedOut);
        }
        deadline = Instant::now() + timeout.saturating_sub(has_used);
    }
    Err(Lost::Starved)
}

async fn read_reply(socket: &mut BufReader<UnixStream>) -> io::Result<Reply> {
    let nonsense = || io::Error::new(io::ErrorKind::InvalidData, "it answered nonsense");
    let length = usize::try_from(socket.read_u32_le().await?).map_err(|_| nonsense())?;
    if length > MAX_FRAME_BYTES {
        return Err(nonsense());
    }
    let mut frame = vec![0; length];
    socket.read_exact(&mut frame).await?;
    Reply::read(&frame).ok_or_else(nonsense)
}
