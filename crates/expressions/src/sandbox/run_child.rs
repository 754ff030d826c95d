//! The loop of an evaluator child.

use std::io::{self, BufReader, Read, Write};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::process;

use super::clock::processor_time;
use super::harden_process::{ProcessorLimit, leave_with_parent, limit_resources};
use super::sandboxes::Sandboxes;
use crate::protocol::{MAX_FRAME_BYTES, Reply, Request};

/// Runs an evaluator child: it speaks with its parent over a socket that is its standard input, and ends
/// with it. The command line of a program that uses an [`crate::Evaluator`] has a hidden subcommand that
/// calls this.
pub fn run_child() -> ! {
    let code = match serve() {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("an evaluator child is started by the program that uses it: {error}");
            1
        }
    };
    process::exit(code)
}

fn serve() -> io::Result<()> {
    leave_with_parent()?;
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut writer = socket.try_clone()?;
    let mut reader = BufReader::with_capacity(64 * 1024, socket);
    let Some(frame) = read_frame(&mut reader)? else {
        return Ok(());
    };
    let Some(Request::Start(limits)) = Request::read(&frame) else {
        return Err(nonsense());
    };
    limit_resources(&limits)?;
    let mut sandboxes = Sandboxes::new(limits);
    let mut processor_limit = ProcessorLimit::new();
    processor_limit.extend(processor_time(), limits.timeout);
    send(&mut writer, &Reply::Ready)?;
    sandboxes.prepare()?;
    while let Some(frame) = read_frame(&mut reader)? {
        let Some(Request::Evaluate { account, data, step, actions }) = Request::read(&frame) else {
            return Err(nonsense());
        };
        let progress = |used| send(&mut writer, &Reply::Progress { used });
        let reply = sandboxes.evaluate(account, data, step, &actions, progress)?;
        send(&mut writer, &reply)?;
        processor_limit.extend(reply.used(), limits.timeout);
        sandboxes.prepare()?;
    }
    Ok(())
}

/// The next frame, or none when the parent is gone.
fn read_frame(reader: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match reader.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        result => result?,
    }
    let length = usize::try_from(u32::from_le_bytes(length)).map_err(|_| nonsense())?;
    if length > MAX_FRAME_BYTES {
        return Err(nonsense());
    }
    let mut frame = vec![0; length];
    reader.read_exact(&mut frame)?;
    Ok(Some(frame))
}

fn send(writer: &mut impl Write, reply: &Reply) -> io::Result<()> {
    let frame = reply.frame().ok_or_else(nonsense)?;
    writer.write_all(&frame)
}

fn nonsense() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not what a parent says")
}
