//! How much processor time a child has used, seen from outside.

use std::fs;
use std::time::Duration;

/// Linux counts in hundredths of a second for everybody who asks, whatever the kernel's own tick is.
const TICKS_PER_SECOND: u32 = 100;

/// The processor time of a process, or none if the system does not tell.
pub(super) fn processor_time_of(process: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name in parentheses may contain anything; user and system time are the 12th and 13th field after.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    let mut ticks = || fields.next()?.parse::<u32>().ok();
    let total = ticks()?.checked_add(ticks()?)?;
    Some(Duration::from_secs(total.into()) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_works_uses_time() {
        let me = std::process::id();
        let start = processor_time_of(me).unwrap();
        let used = || processor_time_of(me).unwrap().saturating_sub(start);
        while used() < Duration::from_millis(20) {
            std::hint::spin_loop();
        }
        assert_eq!(processor_time_of(u32::MAX), None);
    }
}
