//! Starts and ends evaluator children.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use tokio::sync::oneshot;

/// How an evaluator child is started: a program that calls [`crate::run_child`] when it gets these
/// arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvaluatorCommand {
    pub program: PathBuf,
    pub args: Vec<OsString>,
}

impl EvaluatorCommand {
    pub fn new(
        program: impl Into<PathBuf>,
        args: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> EvaluatorCommand {
        EvaluatorCommand { program: program.into(), args: args.into_iter().map(Into::into).collect() }
    }

    /// The running program itself with these arguments, also after its file was replaced.
    pub fn this_program(args: impl IntoIterator<Item = impl Into<OsString>>) -> EvaluatorCommand {
        EvaluatorCommand::new("/proc/self/exe", args)
    }
}

/// A child that was just started, and our end of its socket.
#[derive(Debug)]
pub(super) struct Spawned {
    pub child: Child,
    pub socket: UnixStream,
}

/// A thread that starts and ends children. The signal by which a child learns of its parent's death comes
/// when the *thread* that started it ends, so this must be a thread that stays.
#[derive(Debug, Clone)]
pub(super) struct Spawner {
    orders: mpsc::Sender<Order>,
}

enum Order {
    Spawn(oneshot::Sender<io::Result<Spawned>>),
    End(Child),
}

impl Spawner {
    pub fn new(command: EvaluatorCommand) -> Spawner {
        let (orders, inbox) = mpsc::channel();
        let started = thread::Builder::new().name("evaluator-spawner".to_owned()).spawn(move || {
            for order in inbox {
                match order {
                    Order::Spawn(reply) => {
                        if let Err(Ok(Spawned { child, .. })) = reply.send(spawn(&command)) {
                            end(child);
                        }
                    }
                    Order::End(child) => end(child),
                }
            }
        });
        if let Err(error) = started {
            // Every order fails, and says so to whoever gave it.
            tracing::error!(%error, "no thread to start evaluator children");
        }
        Spawner { orders }
    }

    pub async fn spawn(&self) -> io::Result<Spawned> {
        let (reply, spawned) = oneshot::channel();
        let gone = || io::Error::other("the thread that starts children is gone");
        self.orders.send(Order::Spawn(reply)).map_err(|_| gone())?;
        spawned.await.map_err(|_| gone())?
    }

    /// Kills a child, unless it has ended already, and takes notice of its end.
    pub fn end(&self, child: Child) {
        let _ = self.orders.send(Order::End(child));
    }
}

fn spawn(command: &EvaluatorCommand) -> io::Result<Spawned> {
    let (socket, of_child) = UnixStream::pair()?;
    socket.set_nonblocking(true)?;
    let child = Command::new(&command.program)
        .args(&command.args)
        .arg0("trunkline-evaluator")
        .env_clear()
        // `Date` in scripts is in UTC, without a look at the machine's files.
        .env("TZ", "UTC0")
        // What the allocator sets aside counts as used when the child's memory is limited.
        .env("MIMALLOC_ARENA_RESERVE", "32M")
        .current_dir("/")
        // Ctrl-C in the terminal is for the worker, which still needs us while it drains. In a session of its own it would
        // have as much of a busy processor as all of the worker, however nice it is.
        .process_group(0)
        .stdin(Stdio::from(OwnedFd::from(of_child)))
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()?;
    Ok(Spawned { child, socket })
}

fn end(mut child: Child) {
    let _ = child.kill();
    let _ = child.wait();
}
