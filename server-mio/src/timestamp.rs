//! Wall time for readers.

use core::fmt;
use std::time::SystemTime;

/// Milliseconds since 1970-01-01T00:00:00Z; shown as RFC 3339 (and ISO 8601) write them, in UTC:
/// `2001-02-03T04:05:06.789Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// What the clock says; 1970 where it says less.
    #[must_use]
    pub fn now() -> Timestamp {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp(u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = (self.0 / 1_000, self.0 % 1_000);
        let (year, month, day) = date(seconds / DAY_SECONDS);
        let second = seconds % DAY_SECONDS;
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }
}

/// The Gregorian date of a day since 1970-01-01. Counted in years that begin in March, so that a leap day is
/// the last of its year, and in eras of 400 such years, which are all alike.
fn date(day: u64) -> (u64, u64, u64) {
    let day = day + DAYS_FROM_YEAR_0_TO_1970;
    let (era, day) = (day / ERA_DAYS, day % ERA_DAYS);
    // Without the leap days before it each day lies in the year of its number over 365.
    let leap_days = day / (4 * 365) - day / (ERA_DAYS / 4) + day / (ERA_DAYS - 1);
    let year = (day - leap_days) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // From March on five months have 153 days, again and again.
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    (400 * era + year, month, day_of_month)
}

const DAY_SECONDS: u64 = 86_400;
/// From 0000-03-01.
const DAYS_FROM_YEAR_0_TO_1970: u64 = 719_468;
const ERA_DAYS: u64 = 146_097;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_in_utc_with_milliseconds() {
        for (millis, shown) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (981_173_106_789, "2001-02-03T04:05:06.789Z"),
            (1_700_000_000_000, "2023-11-14T22:13:20.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Timestamp(millis).to_string(), shown);
        }
        assert!(Timestamp(u64::MAX).to_string().starts_with('5'), "no overflow at the end of time");
    }

    #[test]
    fn every_day_of_eight_centuries_follows_its_predecessor() {
        let is_leap =
            |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let mut expected = (1970, 1, 1);
        for day in 0..2 * ERA_DAYS {
            assert_eq!(date(day), expected);
            let (year, month, of_month) = expected;
            let last = match month {
                2 => 28 + u64::from(is_leap(year)),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            expected = match (month, of_month == last) {
                (_, false) => (year, month, of_month + 1),
                (12, true) => (year + 1, 1, 1),
                (_, true) => (year, month + 1, 1),
            };
        }
        assert_eq!(expected, (2770, 1, 1));
    }
}
