//! `postgresql.conf`, written anew before each start: what we set is here, and nowhere else.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::choose_home::Home;
use super::error::{ClusterError, Doing};
use super::options::{ClusterOptions, Durability};
use super::privileges::RunAs;

/// For a developer's machine and a hot queue.
const SETTINGS: [(&str, &str); 24] = [
    ("listen_addresses", ""),
    ("port", "5432"),
    ("unix_socket_permissions", "0700"),
    ("cluster_name", "trunkline"),
    ("max_wal_size", "2GB"),
    ("wal_compression", "on"),
    ("checkpoint_timeout", "15min"),
    ("checkpoint_completion_target", "0.9"),
    // Queue tables turn over in seconds; a minute's dead rows are too many.
    ("autovacuum_naptime", "5s"),
    // Compiling pays for long queries; ours are short.
    ("jit", "off"),
    // Indexes are cheap to follow on an SSD.
    ("random_page_cost", "1.1"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("datestyle", "iso"),
    ("lc_messages", "C"),
    ("default_text_search_config", "pg_catalog.simple"),
    ("log_line_prefix", "%m [%p] %q%a "),
    ("log_checkpoints", "off"),
    ("log_lock_waits", "on"),
    // A file per day of the week, each overwritten when its day comes round again.
    ("logging_collector", "on"),
    ("log_directory", "log"),
    ("log_filename", "postgresql-%a.log"),
    ("log_truncate_on_rotation", "on"),
    ("log_rotation_size", "0"),
];
const FULL: [(&str, &str); 3] = [("fsync", "on"), ("synchronous_commit", "on"), ("shared_buffers", "256MB")];
/// `synchronous_commit` stays on: without it a killed server forgets commits that were answered, and
/// the stories about killed servers would prove nothing.
const FOR_TESTS: [(&str, &str); 3] =
    [("fsync", "off"), ("full_page_writes", "off"), ("shared_buffers", "128MB")];

pub(super) fn write(
    home: &Home,
    socket_dir: &Path,
    options: &ClusterOptions,
    run_as: &RunAs,
) -> Result<(), ClusterError> {
    let text = settings(socket_dir, options)?;
    let path = home.data().join("postgresql.conf");
    let new = home.data().join("postgresql.conf.new");
    if new.exists() {
        std::fs::remove_file(&new).doing("remove", &new)?;
    }
    // `create_new`: as root we must not write through a link that PostgreSQL's user has put there.
    let mut file =
        File::options().write(true).create_new(true).mode(0o600).open(&new).doing("write", &new)?;
    file.write_all(text.as_bytes()).doing("write", &new)?;
    run_as.give(&new)?;
    std::fs::rename(&new, &path).doing("write", &path)
}

fn settings(socket_dir: &Path, options: &ClusterOptions) -> Result<String, ClusterError> {
    let mut text = String::from(
        "# Written by trunkline before each start; changes here are lost.\n\
         # `alter system set …` lasts: it goes to postgresql.auto.conf.\n",
    );
    let durability: &[(&str, &str)] = match options.durability {
        Durability::Full => &FULL,
        Durability::ForTests => &FOR_TESTS,
    };
    for (name, value) in SETTINGS.iter().chain(durability) {
        append(&mut text, name, value)?;
    }
    append(&mut text, "unix_socket_directories", &socket_dir.to_string_lossy())?;
    append(&mut text, "max_connections", &options.max_connections.to_string())?;
    for (name, value) in &options.settings {
        append(&mut text, name, value)?;
    }
    Ok(text)
}

fn append(text: &mut String, name: &str, value: &str) -> Result<(), ClusterError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    if name.is_empty() || !name.chars().all(plain) || value.contains(['\n', '\r', '\0']) {
        return Err(ClusterError::BadSetting { name: name.to_owned() });
    }
    let quoted = value.replace('\\', r"\\").replace('\'', "''");
    writeln!(text, "{name} = '{quoted}'").expect("writing to a string cannot end in an error");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_and_the_callers_come_last() {
        let mut options = ClusterOptions::for_tests("/unused");
        options.settings.push(("log_line_prefix".into(), r"it's \ here".into()));
        let text = settings(Path::new("/run/it's"), &options).unwrap();
        assert!(text.contains("unix_socket_directories = '/run/it''s'\n"));
        assert!(text.contains("fsync = 'off'\n"));
        assert!(text.ends_with("log_line_prefix = 'it''s \\\\ here'\n"));
    }

    #[test]
    fn a_setting_cannot_smuggle_in_another_line() {
        for (name, value) in [("jit", "on\nfsync = off"), ("jit = on #", "x"), ("", "x")] {
            assert!(append(&mut String::new(), name, value).is_err(), "{name} {value}");
        }
    }
}
