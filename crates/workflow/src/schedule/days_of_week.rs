//! The day-of-week field as cron means it: Sunday is 0 or 7.

use super::calendar::InvalidCron;

const NAMES: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

/// The days of a field as the `cron` crate counts them: Sunday is 1, `1,2,…`; `*` for all of them.
pub(super) fn translate_days_of_week(field: &str) -> Result<String, InvalidCron> {
    let refuse =
        || InvalidCron::Field { name: "day of week", text: field.to_owned(), values: "0 to 7 or SUN to SAT" };
    let mut days = [false; 7];
    for item in field.split(',') {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, number(step, 1, 7).ok_or_else(refuse)?),
            None => (item, 1),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" || range == "?" => (0, 6),
            Some((first, last)) => ends(first, last).ok_or_else(refuse)?,
            None => {
                let day = day(range).ok_or_else(refuse)?;
                (day, if item.contains('/') { day.max(6) } else { day })
            }
        };
        for day in (first..=last).step_by(step) {
            days[day % 7] = true;
        }
    }
    if days.iter().all(|day| *day) {
        return Ok("*".to_owned());
    }
    let numbers =
        days.iter().enumerate().filter(|(_, chosen)| **chosen).map(|(day, _)| (day + 1).to_string());
    Ok(numbers.collect::<Vec<_>>().join(","))
}

/// A range may end with Sunday by either number or by its name: `MON-SUN`.
fn ends(first: &str, last: &str) -> Option<(usize, usize)> {
    let (first, last) = (day(first)?, day(last)?);
    let last = if last == 0 && first > 0 { 7 } else { last };
    (first <= last).then_some((first, last))
}

fn day(text: &str) -> Option<usize> {
    let name = text.to_ascii_lowercase();
    let named = || (name.len() >= 3).then(|| NAMES.iter().position(|day| day.starts_with(&name))).flatten();
    number(text, 0, 7).or_else(named)
}

fn number(text: &str, least: usize, most: usize) -> Option<usize> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && (least..=most).contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_translated() {
        for (field, expected) in [
            ("*", "*"),
            ("?", "*"),
            ("0", "1"),
            ("7", "1"),
            ("sun", "1"),
            ("Monday", "2"),
            ("1-5", "2,3,4,5,6"),
            ("MON-FRI", "2,3,4,5,6"),
            ("5-7", "1,6,7"),
            ("SAT-SUN", "1,7"),
            ("0-7", "*"),
            ("1-7", "*"),
            ("*/2", "1,3,5,7"),
            ("1/2", "2,4,6"),
            ("1-5/2", "2,4,6"),
            ("7/2", "1"),
            ("tues,thurs", "3,5"),
            ("0,6", "1,7"),
        ] {
            assert_eq!(translate_days_of_week(field).unwrap(), expected, "{field}");
        }
        for field in
            ["8", "5-1", "SUNX", "su", "", "1,", "*/0", "*/8", "1-", "+1", "1#2", "L", "5L", "-1", "mon-8"]
        {
            assert!(translate_days_of_week(field).is_err(), "{field}");
        }
    }
}
