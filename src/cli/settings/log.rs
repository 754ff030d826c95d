//! What is logged, and how. Logs go to standard error.

use std::fmt;
use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use trunkline_connectors::clock;
use trunkline_workers::FRAME_LOG_TARGET;

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Logs")]
pub struct LogSettings {
    /// What is logged: off, error, warn, info, debug, trace, or `target=level`, or a comma list of them
    #[arg(
        long = "log",
        env = "TRUNKLINE_LOG",
        value_name = "FILTER",
        default_value = "info",
        value_parser = check_filter,
        global = true
    )]
    filter: String,
    /// How it is written
    #[arg(
        long = "log-format",
        env = "TRUNKLINE_LOG_FORMAT",
        value_name = "FORMAT",
        value_enum,
        default_value_t = LogFormat::Text,
        global = true
    )]
    format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum LogFormat {
    /// A line for people
    Text,
    /// An object per line
    Json,
}

impl LogSettings {
    /// From here on, what is logged is written. Once per process.
    pub(crate) fn start(&self) {
        // Libraries whose own stories are nobody's business unless asked for.
        let filter = EnvFilter::new(format!("sqlx=warn,{FRAME_LOG_TARGET}=warn,{}", self.filter));
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        match self.format {
            LogFormat::Text => log
                .compact()
                .with_target(false)
                .with_timer(TimeOfDay)
                .with_ansi(std::io::stderr().is_terminal())
                .init(),
            LogFormat::Json => log.json().flatten_event(true).init(),
        }
    }
}

/// A single word that is no level would be taken for the name of a target, and switch everything else off.
fn check_filter(text: &str) -> Result<String, String> {
    for directive in text.split(',').map(str::trim).filter(|directive| !directive.contains('=')) {
        if !LEVELS.iter().any(|level| directive.eq_ignore_ascii_case(level)) {
            return Err(format!("`{directive}` is neither one of {} nor `target=level`", LEVELS.join(", ")));
        }
    }
    let filter: String = text.split_whitespace().collect();
    EnvFilter::builder().parse(&filter).map(|_| filter).map_err(|error| error.to_string())
}

/// Hours to milliseconds, in UTC: who reads along knows the day.
struct TimeOfDay;

impl FormatTime for TimeOfDay {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        write!(writer, "{}", clock::now().format("%H:%M:%S%.3f"))
    }
}

#[cfg(test)]
mod tests {
    use super::check_filter;

    #[test]
    fn a_filter_is_levels_and_targets_with_levels() {
        for good in ["info", "WARN", "info,trunkline_store=debug", "off,a::b=trace"] {
            assert_eq!(check_filter(good), Ok(good.to_owned()));
        }
        assert_eq!(check_filter(" off, a=warn "), Ok("off,a=warn".to_owned()));
        for bad in ["", "loud", "info,loud", "a=loud", "info,,warn"] {
            assert!(check_filter(bad).is_err(), "{bad}");
        }
    }
}
