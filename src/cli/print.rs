//! `print!` and `println!` for commands: when nobody reads on, as behind `| head`, the command ends without a word, like
//! other programs, with the code of those that the signal ends.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write};

/// 128 and SIGPIPE.
const NOBODY_READS: i32 = 141;

pub fn print(text: Arguments<'_>) {
    let written = std::io::stdout().lock().write_fmt(text);
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(NOBODY_READS),
        Err(error) => {
            eprintln!("error: cannot write the answer: {error}");
            std::process::exit(1);
        }
        Ok(()) => {}
    }
}

macro_rules! print {
    ($($argument:tt)*) => {
        $crate::cli::print::print(format_args!($($argument)*))
    };
}

macro_rules! println {
    () => {
        $crate::cli::print::print(format_args!("\n"))
    };
    ($($argument:tt)*) => {
        $crate::cli::print::print(format_args!("{}\n", format_args!($($argument)*)))
    };
}
