//! Limits as somebody sends them, checked: every flaw with its place.

use std::collections::HashSet;
use std::fmt;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::outgoing::{Channel, bare_sender};
use super::quiet_hours::{QuietHours, TimeOfDay, Weekdays};
use super::settings::{DefinitionLimit, Period, Rate, SenderLimit, Settings};
use crate::time_zones;

/// The most that a rate or a concurrency may say: beyond this it limits nothing.
const MOST: u64 = 1_000_000;
/// Entries of a list.
const LONGEST_LIST: usize = 1_000;
/// Rates, and quiet hours, that are asked at each message.
const LONGEST_SHORT_LIST: usize = 20;
/// Characters.
const LONGEST_SENDER: usize = 100;

/// What is wrong, and where: `senders[1].rates[0].per`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    pub place: String,
    pub problem: String,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.place, self.problem)
    }
}

/// The settings, or all that is wrong with them.
pub fn read_settings(members: &Map<String, Value>) -> Result<Settings, Vec<Flaw>> {
    let mut reader = Reader::default();
    let settings = reader.settings(members);
    if reader.flaws.is_empty() { Ok(settings) } else { Err(reader.flaws) }
}

#[derive(Default)]
struct Reader {
    flaws: Vec<Flaw>,
}

impl Reader {
    fn settings(&mut self, members: &Map<String, Value>) -> Settings {
        const KNOWN: [&str; 7] =
            ["timeZone", "rates", "senders", "recipients", "quietHours", "concurrency", "definitions"];
        self.know(members, "", &KNOWN);
        Settings {
            time_zone: self.zone(members, ""),
            rates: self.rates(members, "", "rates"),
            senders: self.senders(members),
            recipients: self.rates(members, "", "recipients"),
            quiet_hours: self.list(members, "", "quietHours", LONGEST_SHORT_LIST, Self::quiet_hours),
            concurrency: present(members, "concurrency")
                .and_then(|value| self.number(value, "concurrency".to_owned())),
            definitions: self.definitions(members),
        }
    }

    /// Each once: two rates of one sender for one period would count every message twice.
    fn senders(&mut self, members: &Map<String, Value>) -> Vec<SenderLimit> {
        let senders = self.list(members, "", "senders", LONGEST_LIST, Self::sender);
        let mut known = HashSet::new();
        for (position, limit) in senders.iter().enumerate() {
            if !known.insert(bare_sender(&limit.sender)) {
                let problem = format!("is `{}` for the second time", limit.sender);
                self.flaw(format!("senders[{position}].sender"), problem);
            }
        }
        senders
    }

    fn definitions(&mut self, members: &Map<String, Value>) -> Vec<DefinitionLimit> {
        let definitions = self.list(members, "", "definitions", LONGEST_LIST, Self::definition);
        let mut known = HashSet::new();
        for (position, limit) in definitions.iter().enumerate() {
            if !known.insert(limit.definition_id) {
                let problem = format!("is `{}` for the second time", limit.definition_id);
                self.flaw(format!("definitions[{position}].definitionId"), problem);
            }
        }
        definitions
    }

    fn sender(&mut self, members: &Map<String, Value>, place: &str) -> Option<SenderLimit> {
        self.know(members, place, &["sender", "rates"]);
        let rates = self.rates(members, place, "rates");
        if present(members, "rates").is_none() {
            self.flaw(join(place, "rates"), "is required");
        }
        let name = present(members, "sender").and_then(Value::as_str).map(str::trim);
        let fits =
            |name: &&str| !name.is_empty() && name.chars().count() <= LONGEST_SENDER && !name.contains('\0');
        let name = name.filter(fits);
        if name.is_none() {
            let problem = format!("must be a subaccount, number or name of 1 to {LONGEST_SENDER} characters");
            self.flaw(join(place, "sender"), problem);
        }
        Some(SenderLimit { sender: name?.to_owned(), rates })
    }

    fn definition(&mut self, members: &Map<String, Value>, place: &str) -> Option<DefinitionLimit> {
        self.know(members, place, &["definitionId", "concurrency"]);
        let id = present(members, "definitionId").and_then(Value::as_str);
        let id = id.and_then(|text| Uuid::try_parse(text).ok());
        if id.is_none() {
            self.flaw(join(place, "definitionId"), "must be the id of a definition");
        }
        let concurrency = self.required_number(members, place, "concurrency");
        Some(DefinitionLimit { definition_id: id?, concurrency: concurrency? })
    }

    fn quiet_hours(&mut self, members: &Map<String, Value>, place: &str) -> Option<QuietHours> {
        self.know(members, place, &["from", "to", "timeZone", "days", "channels"]);
        let (from, to) = (self.time(members, place, "from"), self.time(members, place, "to"));
        let time_zone = self.zone(members, place);
        let mut days = Weekdays::default();
        for day in self.words(members, place, "days", "must be a day, such as `monday`", Weekdays::parse) {
            days.add(day);
        }
        let mut channels = Vec::new();
        let problem = "must be `sms`, `chat` or `voice`";
        for channel in self.words(members, place, "channels", problem, Channel::parse) {
            if !channels.contains(&channel) {
                channels.push(channel);
            }
        }
        Some(QuietHours { from: from?, to: to?, time_zone, days, channels })
    }

    fn time(&mut self, members: &Map<String, Value>, place: &str, name: &str) -> Option<TimeOfDay> {
        let time = present(members, name).and_then(Value::as_str).and_then(TimeOfDay::parse);
        if time.is_none() {
            self.flaw(join(place, name), "must be a time of the day, such as `21:00`");
        }
        time
    }

    fn zone(&mut self, members: &Map<String, Value>, place: &str) -> Option<String> {
        let value = present(members, "timeZone")?;
        let known = value.as_str().filter(|name| time_zones::find(name).is_some());
        if known.is_none() {
            self.flaw(join(place, "timeZone"), "must be a time zone, such as `Europe/Berlin`");
        }
        known.map(|name| name.trim().to_owned())
    }

    /// At most one rate for each period.
    fn rates(&mut self, members: &Map<String, Value>, place: &str, name: &str) -> Vec<Rate> {
        let rates = self.list(members, place, name, LONGEST_SHORT_LIST, Self::rate);
        for (position, rate) in rates.iter().enumerate() {
            if rates[..position].iter().any(|other| other.per == rate.per) {
                let place = format!("{}[{position}].per", join(place, name));
                self.flaw(place, format!("is `{}` for the second time", rate.per.as_str()));
            }
        }
        rates
    }

    fn rate(&mut self, members: &Map<String, Value>, place: &str) -> Option<Rate> {
        self.know(members, place, &["messages", "per"]);
        let messages = self.required_number(members, place, "messages");
        let per = present(members, "per").and_then(Value::as_str).and_then(Period::parse);
        if per.is_none() {
            self.flaw(join(place, "per"), "must be `second`, `minute`, `hour` or `day`");
        }
        Some(Rate { messages: messages?, per: per? })
    }

    fn required_number(&mut self, members: &Map<String, Value>, place: &str, name: &str) -> Option<u32> {
        self.number(members.get(name).unwrap_or(&Value::Null), join(place, name))
    }

    fn number(&mut self, value: &Value, place: String) -> Option<u32> {
        let number = value.as_u64().filter(|number| (1..=MOST).contains(number));
        if number.is_none() {
            self.flaw(place, format!("must be a whole number from 1 to {MOST}"));
        }
        number.and_then(|number| u32::try_from(number).ok())
    }

    fn words<T>(
        &mut self,
        members: &Map<String, Value>,
        place: &str,
        name: &str,
        problem: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Vec<T> {
        let mut words = Vec::new();
        for (position, value) in self.array(members, place, name, LONGEST_SHORT_LIST).iter().enumerate() {
            match value.as_str().and_then(&parse) {
                Some(word) => words.push(word),
                None => self.flaw(format!("{}[{position}]", join(place, name)), problem),
            }
        }
        words
    }

    fn list<T>(
        &mut self,
        members: &Map<String, Value>,
        place: &str,
        name: &str,
        longest: usize,
        read: impl Fn(&mut Self, &Map<String, Value>, &str) -> Option<T>,
    ) -> Vec<T> {
        let mut items = Vec::new();
        for (position, value) in self.array(members, place, name, longest).iter().enumerate() {
            let place = format!("{}[{position}]", join(place, name));
            match value {
                Value::Object(members) => items.extend(read(self, members, &place)),
                _ => self.flaw(place, "must be an object"),
            }
        }
        items
    }

    fn array<'a>(
        &mut self,
        members: &'a Map<String, Value>,
        place: &str,
        name: &str,
        longest: usize,
    ) -> &'a [Value] {
        match present(members, name) {
            None => &[],
            Some(Value::Array(items)) if items.len() <= longest => items,
            Some(Value::Array(_)) => {
                self.flaw(join(place, name), format!("has more than {longest} items"));
                &[]
            }
            Some(_) => {
                self.flaw(join(place, name), "must be an array");
                &[]
            }
        }
    }

    fn know(&mut self, members: &Map<String, Value>, place: &str, known: &[&str]) {
        for name in members.keys().filter(|name| !known.contains(&name.as_str())) {
            self.flaw(join(place, name), "is not known");
        }
    }

    fn flaw(&mut self, place: String, problem: impl Into<String>) {
        self.flaws.push(Flaw { place, problem: problem.into() });
    }
}

fn join(place: &str, name: &str) -> String {
    if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") }
}

/// `null` equals absent.
fn present<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    members.get(name).filter(|value| !value.is_null())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: &Value) -> Result<Settings, Vec<String>> {
        read_settings(value.as_object().unwrap())
            .map_err(|flaws| flaws.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn what_is_set_is_what_is_shown() {
        let limits = json!({
            "timeZone": "Europe/Berlin",
            "rates": [{"messages": 30, "per": "second"}, {"messages": 600, "per": "minute"}],
            "senders": [{"sender": "acme_sms", "rates": [{"messages": 5, "per": "second"}]}],
            "recipients": [{"messages": 3, "per": "hour"}, {"messages": 10, "per": "day"}],
            "quietHours": [{"from": "21:00", "to": "08:00", "days": ["monday", "sunday"], "channels": ["sms"]}],
            "concurrency": 20,
            "definitions": [{"definitionId": "0b9f3a52-6a0e-4c55-9a0a-3c1d2f6e7b10", "concurrency": 5}],
        });
        let settings = read(&limits).unwrap();
        assert_eq!(serde_json::to_value(&settings).unwrap(), limits);
        assert_eq!(serde_json::from_value::<Settings>(limits).unwrap(), settings);
        assert!(!settings.is_empty());
        assert!(read(&json!({"timeZone": "UTC", "rates": null})).unwrap().is_empty());
    }

    #[test]
    fn each_flaw_has_its_place() {
        for (limits, flaw) in [
            (json!({"rate": []}), "`rate` is not known"),
            (json!({"rates": {}}), "`rates` must be an array"),
            (json!({"rates": [7]}), "`rates[0]` must be an object"),
            (
                json!({"rates": [{"messages": 0, "per": "second"}]}),
                "`rates[0].messages` must be a whole number from 1 to 1000000",
            ),
            (
                json!({"rates": [{"messages": 1, "per": "week"}]}),
                "`rates[0].per` must be `second`, `minute`, `hour` or `day`",
            ),
            (
                json!({"recipients": [{"messages": 1, "per": "day"}, {"messages": 2, "per": "day"}]}),
                "`recipients[1].per` is `day` for the second time",
            ),
            (json!({"senders": [{"sender": "a"}]}), "`senders[0].rates` is required"),
            (
                json!({"senders": [{"sender": "+65", "rates": []}, {"sender": "65", "rates": []}]}),
                "`senders[1].sender` is `65` for the second time",
            ),
            (
                json!({"senders": [{"sender": " ", "rates": []}]}),
                "`senders[0].sender` must be a subaccount, number or name of 1 to 100 characters",
            ),
            (
                json!({"quietHours": [{"from": "9:00", "to": "10:00"}]}),
                "`quietHours[0].from` must be a time of the day, such as `21:00`",
            ),
            (
                json!({"quietHours": [{"from": "21:00", "to": "08:00", "timeZone": "Berlin"}]}),
                "`quietHours[0].timeZone` must be a time zone, such as `Europe/Berlin`",
            ),
            (
                json!({"quietHours": [{"from": "21:00", "to": "08:00", "days": ["Mon"]}]}),
                "`quietHours[0].days[0]` must be a day, such as `monday`",
            ),
            (
                json!({"quietHours": [{"from": "21:00", "to": "08:00", "channels": ["fax"]}]}),
                "`quietHours[0].channels[0]` must be `sms`, `chat` or `voice`",
            ),
            (json!({"concurrency": 1.5}), "`concurrency` must be a whole number from 1 to 1000000"),
            (
                json!({"definitions": [{"definitionId": "x", "concurrency": 1}]}),
                "`definitions[0].definitionId` must be the id of a definition",
            ),
            (
                json!({"definitions": [
                    {"definitionId": "0b9f3a52-6a0e-4c55-9a0a-3c1d2f6e7b10", "concurrency": 5},
                    {"definitionId": "0B9F3A52-6A0E-4C55-9A0A-3C1D2F6E7B10", "concurrency": 6},
                ]}),
                "`definitions[1].definitionId` is `0b9f3a52-6a0e-4c55-9a0a-3c1d2f6e7b10` for the second time",
            ),
        ] {
            assert_eq!(read(&limits).unwrap_err(), [flaw], "{limits}");
        }
    }
}
