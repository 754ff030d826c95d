use proptest::prelude::*;

use super::*;

fn window(from: &str, to: &str, zone: &str) -> QuietHours {
    QuietHours {
        from: TimeOfDay::parse(from).unwrap(),
        to: TimeOfDay::parse(to).unwrap(),
        time_zone: Some(zone.to_owned()),
        days: Weekdays::default(),
        channels: Vec::new(),
    }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn until(windows: &[QuietHours], time: &str) -> Option<DateTime<Utc>> {
    quiet_until(windows, None, Channel::Sms, at(time)).map(|(until, _)| until)
}

#[test]
fn a_night_ends_in_the_morning_of_its_zone() {
    let night = [window("21:00", "08:00", "Asia/Singapore")];
    for (time, end) in [
        ("2026-03-01T12:59:59Z", None),
        ("2026-03-01T13:00:00Z", Some("2026-03-02T00:00:00Z")),
        ("2026-03-01T20:00:00Z", Some("2026-03-02T00:00:00Z")),
        ("2026-03-01T23:59:59Z", Some("2026-03-02T00:00:00Z")),
        ("2026-03-02T00:00:00Z", None),
    ] {
        assert_eq!(until(&night, time), end.map(at), "{time}");
    }
}

#[test]
fn a_night_in_which_clocks_are_moved_is_an_hour_shorter_or_longer() {
    let night = [window("21:00", "08:00", "Europe/Berlin")];
    assert_eq!(until(&night, "2026-03-28T20:00:00Z"), Some(at("2026-03-29T06:00:00Z")));
    assert_eq!(until(&night, "2026-10-24T20:00:00Z"), Some(at("2026-10-25T07:00:00Z")));
    // Ends that no clock shows, and that it shows twice.
    let early = [window("21:00", "02:30", "Europe/Berlin")];
    assert_eq!(until(&early, "2026-03-28T22:00:00Z"), Some(at("2026-03-29T01:00:00Z")));
    assert_eq!(until(&early, "2026-10-24T22:00:00Z"), Some(at("2026-10-25T00:30:00Z")));
    assert_eq!(until(&early, "2026-10-25T01:10:00Z"), Some(at("2026-10-25T01:30:00Z")), "its second turn");
}

#[test]
fn days_are_those_on_which_a_window_begins() {
    let mut friday = window("22:00", "10:00", "UTC");
    friday.days.add(Weekday::Fri);
    let friday = [friday];
    // 2026-03-06 is a Friday.
    assert_eq!(until(&friday, "2026-03-06T09:00:00Z"), None);
    assert_eq!(until(&friday, "2026-03-06T23:00:00Z"), Some(at("2026-03-07T10:00:00Z")));
    assert_eq!(until(&friday, "2026-03-07T09:00:00Z"), Some(at("2026-03-07T10:00:00Z")));
    assert_eq!(until(&friday, "2026-03-07T23:00:00Z"), None);
}

#[test]
fn windows_that_follow_each_other_are_one() {
    let mut sunday = window("00:00", "00:00", "UTC");
    sunday.days.add(Weekday::Sun);
    let windows = [window("21:00", "08:00", "UTC"), sunday];
    // 2026-03-08 is a Sunday.
    assert_eq!(until(&windows, "2026-03-07T22:00:00Z"), Some(at("2026-03-09T08:00:00Z")));
}

#[test]
fn a_window_is_for_its_channels_and_in_the_zone_of_the_account_unless_it_names_one() {
    let mut calls = window("20:00", "09:00", "UTC");
    calls.channels = vec![Channel::Voice];
    calls.time_zone = None;
    let windows = [calls];
    let at = at("2026-03-01T12:30:00Z");
    assert_eq!(quiet_until(&windows, Some("Asia/Singapore"), Channel::Sms, at), None);
    assert!(quiet_until(&windows, Some("Asia/Singapore"), Channel::Voice, at).is_some());
    assert_eq!(quiet_until(&windows, None, Channel::Voice, at), None);
}

#[test]
fn what_is_quiet_for_ever_is_looked_at_again() {
    let always = [window("00:00", "00:00", "UTC")];
    let until = until(&always, "2026-03-01T12:00:00Z").unwrap();
    assert!(until >= at("2026-03-09T00:00:00Z") && until <= at("2026-03-11T00:00:00Z"), "{until}");
}

fn a_window() -> impl Strategy<Value = QuietHours> {
    // Zones that move clocks at night, at midnight, by half an hour, over a whole day, and never.
    const ZONES: [&str; 6] =
        ["Europe/Berlin", "America/Havana", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Beirut", "UTC"];
    let time =
        || (0_u16..24, 0_u16..4).prop_map(|(hour, quarter)| TimeOfDay::new(hour, quarter * 15).unwrap());
    let days = proptest::collection::vec(0_usize..7, 0..4);
    (time(), time(), proptest::sample::select(&ZONES[..]), days).prop_map(|(from, to, zone, chosen)| {
        let mut days = Weekdays::default();
        for day in chosen {
            days.add(DAYS[day].1);
        }
        QuietHours { from, to, time_zone: Some(zone.to_owned()), days, channels: Vec::new() }
    })
}

/// By the definition: what the clock shows is in the window that began on this day or the day before.
fn is_quiet(window: &QuietHours, at: DateTime<Utc>) -> bool {
    let zone: Tz = window.time_zone.as_deref().unwrap().parse().unwrap();
    let wall = at.with_timezone(&zone).naive_local();
    let minutes = |time: TimeOfDay| i64::from(time.0);
    [0, 1].into_iter().any(|days_ago| {
        let begun = wall.date() - Days::new(days_ago);
        let since = (wall - begun.and_hms_opt(0, 0, 0).unwrap()).num_minutes();
        let to = minutes(window.to) + if window.to <= window.from { 1440 } else { 0 };
        window.days.contain(begun.weekday()) && (minutes(window.from)..to).contains(&since)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn it_is_quiet_until_the_end_and_not_at_it(
        windows in proptest::collection::vec(a_window(), 1..3),
        // Around the days on which some of the zones move their clocks.
        day in proptest::sample::select(&["2026-03-08", "2026-03-29", "2026-04-05", "2026-04-24", "2026-10-25", "2026-11-01"][..]),
        minute in -1_440_i64..2_880,
    ) {
        let time = at(&format!("{day}T00:00:00Z")) + TimeDelta::minutes(minute);
        let quiet = |at| windows.iter().any(|window| is_quiet(window, at));
        match quiet_until(&windows, None, Channel::Chat, time) {
            None => prop_assert!(!quiet(time)),
            Some((until, _)) => {
                prop_assert!(until - time >= FARTHEST || !quiet(until), "{until} is quiet yet");
                let mut probe = time;
                while probe < until {
                    prop_assert!(quiet(probe), "{probe} is not quiet, and before {until}");
                    probe += TimeDelta::minutes(15);
                }
                prop_assert!(quiet(until - TimeDelta::seconds(1)), "{until} is late");
            }
        }
    }
}
