//! Points in time as people write them: RFC 3339, or milliseconds since 1970.

use std::fmt;

use ottla_core::types::Timestamp;

const DAY_MS: i64 = 86_400_000;
const DAYS_0000_TO_1970: i64 = 719_468;
const DAYS_PER_ERA: i64 = 146_097;

/// The text is no point in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InvalidTimestamp;

impl fmt::Display for InvalidTimestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("neither milliseconds since 1970 nor a time like 2026-01-31T12:00:00Z")
    }
}

impl std::error::Error for InvalidTimestamp {}

/// Reads milliseconds, or a date and time with `Z` or an offset.
pub(super) fn parse(text: &str) -> Result<Timestamp, InvalidTimestamp> {
    if let Ok(milliseconds) = text.parse() {
        return Ok(Timestamp(milliseconds));
    }
    parse_rfc_3339(text).map(Timestamp).ok_or(InvalidTimestamp)
}

fn parse_rfc_3339(text: &str) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (time, rest) = rest.split_at_checked(8)?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let (fraction_ms, zone) = match rest.strip_prefix('.') {
        None => (0, rest),
        Some(rest) => {
            let end = rest.find(|c: char| !c.is_ascii_digit())?;
            let (digits, zone) = rest.split_at(end);
            let padded: String = digits.chars().chain("00".chars()).take(3).collect();
            (padded.parse().ok().filter(|_| end > 0)?, zone)
        }
    };
    let offset_minutes = match zone.split_at_checked(1)? {
        ("Z" | "z", "") => 0,
        ("+", zone) => minutes(zone)?,
        ("-", zone) => -minutes(zone)?,
        _ => return None,
    };
    let in_range = (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    let minutes_of_day = hour * 60 + minute - offset_minutes;
    let ms_of_day = (minutes_of_day * 60 + second) * 1000 + fraction_ms;
    in_range.then(|| days_since_1970(year, month, day) * DAY_MS + ms_of_day)
}

fn minutes(zone: &str) -> Option<i64> {
    let [hours, minutes] = numbers(zone, ':', [2, 2])?;
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

/// Numbers of fixed widths.
fn numbers<const N: usize>(text: &str, separator: char, widths: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; N];
    for (number, width) in numbers.iter_mut().zip(widths) {
        let part = parts.next()?;
        if part.len() != width || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        _ => 31,
    }
}

// Both ways after "chrono-Compatible Low-Level Date Algorithms" by Howard Hinnant: years begin in March, so that the leap
// day is the last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * DAYS_PER_ERA + day_of_era - DAYS_0000_TO_1970
}

fn date(days_since_1970: i64) -> (i64, i64, i64) {
    let days = days_since_1970 + DAYS_0000_TO_1970;
    let (era, day_of_era) = (days.div_euclid(DAYS_PER_ERA), days.rem_euclid(DAYS_PER_ERA));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// The time in RFC 3339, in UTC.
pub(super) fn format(Timestamp(milliseconds): Timestamp) -> String {
    let (year, month, day) = date(milliseconds.div_euclid(DAY_MS));
    let ms = milliseconds.rem_euclid(DAY_MS);
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    let ms = ms % 1000;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59.999Z", -1),
            ("2000-02-29T12:00:00+02:00", 951_818_400_000),
            ("2026-11-23T09:25:00.5-00:30", 1_795_427_700_500),
            ("2026-11-23 09:25:00.123456Z", 1_795_425_900_123),
            ("1582-10-15t00:00:00z", -12_219_292_800_000),
            ("1795425900123", 1_795_425_900_123),
            ("-5", -5),
        ] {
            assert_eq!(parse(text), Ok(Timestamp(ms)), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2026-11-23",
            "2026-11-23T09:25:00",
            "2026-13-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-11-23T24:00:00Z",
            "2026-11-23T09:25:00.Z",
            "2026-11-23T09:25:00+2:00",
            "26-11-23T09:25:00Z",
            "yesterday",
        ] {
            assert_eq!(parse(text), Err(InvalidTimestamp), "{text}");
        }
    }

    #[test]
    fn there_and_back() {
        for ms in
            [0, -1, 951_782_400_000, 1_795_425_900_123, -62_135_596_800_000, 253_402_300_799_999]
        {
            assert_eq!(parse(&format(Timestamp(ms))), Ok(Timestamp(ms)));
        }
    }
}
