//! A ring's rollout window. Argo CD's own sync windows would stop self-healing too, so they are not used.

use std::fmt::Display;

use jiff::{
    Timestamp,
    civil::{Time, Weekday},
    tz::TimeZone,
};
use serde::{Deserialize, Deserializer, de::Error as _};

/// Days, and hours of them, in a time zone; `to` is no longer in it.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Window {
    #[serde(deserialize_with = "days")]
    days: Vec<Weekday>,
    #[serde(deserialize_with = "time")]
    from: Time,
    #[serde(deserialize_with = "time")]
    to: Time,
    #[serde(deserialize_with = "zone")]
    zone: TimeZone,
}

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

impl Window {
    pub(crate) fn is_open(&self, now: Timestamp) -> bool {
        let here = now.to_zoned(self.zone.clone());
        self.days.contains(&here.weekday()) && (self.from..self.to).contains(&here.time())
    }
}

impl Display for Window {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let days: Vec<&str> = DAYS.iter().filter(|(_, day)| self.days.contains(day)).map(|(name, _)| *name).collect();
        let zone = self.zone.iana_name().unwrap_or("UTC");
        write!(to, "{} from {} to {} in {zone}", days.join(", "), self.from.strftime("%H:%M"), self.to.strftime("%H:%M"))
    }
}

fn days<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Weekday>, D::Error> {
    let names = Vec::<String>::deserialize(from)?;
    let day = |name: &String| {
        let found = DAYS.iter().find(|(known, _)| known == name).map(|(_, day)| *day);
        found.ok_or_else(|| D::Error::custom(format!("{name:?} is no day; write mon, tue, wed, thu, fri, sat, sun")))
    };
    names.iter().map(day).collect()
}

fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Time, D::Error> {
    let text = String::deserialize(from)?;
    Time::strptime("%H:%M", &text)
        .map_err(|_| D::Error::custom(format!("{text:?} is no time of day; write one such as \"09:00\"")))
}

fn zone<'de, D: Deserializer<'de>>(from: D) -> Result<TimeZone, D::Error> {
    let name = String::deserialize(from)?;
    TimeZone::get(&name).map_err(|error| D::Error::custom(format!("zone {name}: {error} (the package tzdata names the zones)")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_of_its_zone_and_its_days() {
        let text = "{days: [tue, wed], from: \"09:00\", to: \"15:00\", zone: Europe/Berlin}";
        let window: Window = yaml_serde::from_str(text).unwrap();
        assert_eq!(window.to_string(), "tue, wed from 09:00 to 15:00 in Europe/Berlin");
        let open = |at: &str| window.is_open(at.parse().unwrap());
        // Winter is one hour ahead of UTC, summer two.
        assert!(!open("2026-11-24T07:59:59Z") && open("2026-11-24T08:00:00Z") && open("2026-11-24T13:59:59Z"));
        assert!(!open("2026-11-24T14:00:00Z") && open("2026-07-21T07:00:00Z") && !open("2026-07-21T13:00:00Z"));
        assert!(!open("2026-11-23T10:00:00Z"), "a Monday");
    }

    #[test]
    fn what_is_no_window_is_refused_by_name() {
        let refusal = |text: &str| yaml_serde::from_str::<Window>(text).unwrap_err().to_string();
        assert!(refusal("{days: [monday], from: \"09:00\", to: \"15:00\", zone: UTC}").contains("\"monday\" is no day"));
        assert!(refusal("{days: [mon], from: morning, to: \"15:00\", zone: UTC}").contains("\"morning\" is no time of day"));
        assert!(refusal("{days: [mon], from: \"09:00\", to: \"15:00\", zone: Mars/Olympus}").contains("zone Mars/Olympus"));
    }
}
