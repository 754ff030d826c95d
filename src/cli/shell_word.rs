//! Commands to be pasted into a shell.

/// A text as one word of a shell command.
pub(super) fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// What runs this very program again, from any folder: its name if the shell finds it by that, else its path.
pub(super) fn this_program() -> String {
    let called = std::env::args_os().next().and_then(|name| name.into_string().ok());
    let name = called.filter(|name| !name.is_empty() && !name.contains('/'));
    let path = || std::env::current_exe().ok().map(|path| path.to_string_lossy().into_owned());
    shell_word(&name.or_else(path).unwrap_or_else(|| "trunkline".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::{shell_word, this_program};

    #[test]
    fn what_a_shell_would_take_apart_is_quoted() {
        for (text, word) in [("/a/b-c.d", "/a/b-c.d"), ("", "''"), ("a b", "'a b'"), ("it's", r"'it'\''s'")] {
            assert_eq!(shell_word(text), word);
        }
    }

    #[test]
    fn a_program_called_by_its_path_is_named_by_its_path() {
        assert!(this_program().starts_with('/') || this_program().starts_with("'/"), "{}", this_program());
    }
}
