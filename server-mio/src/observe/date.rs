//! Dates for people and for HTTP.

use peerpigeon_core::UnixMillis;
use std::fmt;
use std::time::SystemTime;

/// What the clock says; 1970 where it says less.
pub(crate) fn now() -> UnixMillis {
    let since_1970 = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    UnixMillis(u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX))
}

/// ISO 8601 with milliseconds, in UTC: `2026-01-31T23:59:59.999Z`.
pub(crate) struct Iso8601(pub UnixMillis);

/// The form of the `Date` header (RFC 9110 section 5.6.7): `Sat, 31 Jan 2026 23:59:59 GMT`.
pub(crate) struct HttpDate(pub UnixMillis);

impl fmt::Display for Iso8601 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil { year, month, day, hour, minute, second, .. } = Civil::of(self.0);
        let millis = self.0.0 % 1000;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }
}

impl fmt::Display for HttpDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil { year, month, day, weekday, hour, minute, second } = Civil::of(self.0);
        let weekday = WEEKDAYS[weekday];
        let month = MONTHS[month - 1];
        write!(f, "{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
    }
}

/// A moment in the Gregorian calendar, UTC.
struct Civil {
    year: u64,
    /// 1 to 12.
    month: usize,
    day: u64,
    /// 0 is Monday.
    weekday: usize,
    hour: u64,
    minute: u64,
    second: u64,
}

impl Civil {
    fn of(moment: UnixMillis) -> Civil {
        let seconds = moment.0 / 1000;
        let mut day = seconds / 86_400;
        // 1970-01-01 was a Thursday.
        let weekday = ((day + 3) % 7) as usize;
        // Four hundred years repeat exactly; the loops below then run a few hundred times at most.
        let mut year = 1970 + day / DAYS_OF_400_YEARS * 400;
        day %= DAYS_OF_400_YEARS;
        while day >= days_of_year(year) {
            day -= days_of_year(year);
            year += 1;
        }
        let mut month = 1;
        while day >= days_of_month(year, month) {
            day -= days_of_month(year, month);
            month += 1;
        }
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        Civil { year, month, day: day + 1, weekday, hour, minute, second }
    }
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_of_year(year: u64) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

fn days_of_month(year: u64, month: usize) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

const DAYS_OF_400_YEARS: u64 = 146_097;
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_agree_with_known_ones() {
        for (millis, iso, http) in [
            (0, "1970-01-01T00:00:00.000Z", "Thu, 01 Jan 1970 00:00:00 GMT"),
            // The example of RFC 9110 section 5.6.7.
            (784_111_777_000, "1994-11-06T08:49:37.000Z", "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z", "Mon, 28 Feb 2000 23:59:59 GMT"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z", "Tue, 29 Feb 2000 00:00:00 GMT"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z", "Mon, 01 Mar 2100 00:00:00 GMT"),
        ] {
            assert_eq!(Iso8601(UnixMillis(millis)).to_string(), iso);
            assert_eq!(HttpDate(UnixMillis(millis)).to_string(), http);
        }
    }

    #[test]
    fn the_end_of_time_is_a_date_too() {
        assert!(Iso8601(UnixMillis(u64::MAX)).to_string().ends_with('Z'));
    }
}
