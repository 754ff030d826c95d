//! What becomes of a command when nobody reads on.

use std::process::Stdio;

use crate::program::{TestDir, run, trunkline};

#[test]
fn an_answer_that_is_cut_off_ends_the_command_without_a_word() {
    let dir = TestDir::new();
    for args in [&["completions", "bash"][..], &["master-key"], &["--help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let command = trunkline(&dir, args, &[]).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(String::from_utf8(command.stderr).unwrap(), "", "{args:?}");
        let code = if args == ["--help"] { 0 } else { 141 };
        assert_eq!(command.status.code(), Some(code), "{args:?}, as the signal ends other programs");
    }
}

#[test]
fn words_that_say_how_to_run_again_are_of_nothing_else() {
    let dir = TestDir::new();
    for option in [&["--again"][..], &["--rerun-from", "start"], &["--rerun-version", "newest"]] {
        let args =
            [&["batch", "create", "suspend", "--instance", "6b01f07265ba216c1bf11f15", "--yes"], option];
        let words = format!("`{}` is of `rerun`, and cannot be used with `suspend`", option[0]);
        run(&dir, &args.concat(), &[]).failed(2, &words);
    }
}
