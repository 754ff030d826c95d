//! How far a scenario goes when everything breaks: a few rounds in `make test`, as many as it needs to be believed with
//! `FAILURE=long`.

use std::time::Duration;

pub fn is_long() -> bool {
    std::env::var("FAILURE").is_ok_and(|extent| extent == "long")
}

pub fn either<T>(short: T, long: T) -> T {
    if is_long() { long } else { short }
}

/// Says why a scenario cannot run here, also where the words of tests that pass are not shown. Who asked for the long form
/// must not take it for one that passed.
pub fn skipped(why: &str) {
    use std::io::Write;
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    assert!(!is_long(), "NOT RUN: {test}: {why}");
    let _ = writeln!(std::io::stderr(), "NOT RUN: {test}: {why}");
}

/// Where what must not happen is given the time to happen, or something is measured: there is no condition to wait for.
pub async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

/// A limit that a user is promised. A machine that does other things besides is given a minute in the short form.
pub fn promised(seconds: u64) -> Duration {
    Duration::from_secs(either(seconds + 52, seconds))
}
