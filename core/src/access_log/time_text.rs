//! Moments as text.

use std::sync::LazyLock;
use std::time::SystemTime;

use jiff::civil::{DateTime, Weekday};
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};
use ringmain_config::substitution_format::{Padding, TimeFormat, TimePart, TimeUnit, Zone};

use super::number::{write_filled, write_number};

/// The system's time zone as of the start, or that of `TZ`.
static LOCAL: LazyLock<TimeZone> = LazyLock::new(TimeZone::system);

/// Appends `at` in `format`, or in Envoy's default form.
pub fn write(at: SystemTime, zone: Zone, format: Option<&TimeFormat>, out: &mut Vec<u8>) {
    let Ok(at) = Timestamp::try_from(at) else { return };
    let moment = match zone {
        Zone::Utc => Moment { at, civil: Offset::UTC.to_datetime(at), zoned: None },
        Zone::Local => {
            let zoned = at.to_zoned(LOCAL.clone());
            Moment { at, civil: zoned.datetime(), zoned: Some(zoned) }
        }
    };
    match format {
        None => moment.write_default(out),
        Some(format) => {
            for part in &format.parts {
                match part {
                    TimePart::Literal(text) => out.extend_from_slice(text.as_bytes()),
                    TimePart::Unit(unit, padding) => moment.write_unit(*unit, *padding, out),
                }
            }
        }
    }
}

struct Moment {
    at: Timestamp,
    civil: DateTime,
    /// Absent for UTC.
    zoned: Option<Zoned>,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

impl Moment {
    /// `2026-01-02T03:04:05.230Z`; with the offset instead of the `Z` where time is local.
    fn write_default(&self, out: &mut Vec<u8>) {
        let civil = self.civil;
        write_filled(unsigned(civil.year().into()), 4, b'0', out);
        for (separator, value) in [
            (b'-', civil.month()),
            (b'-', civil.day()),
            (b'T', civil.hour()),
            (b':', civil.minute()),
            (b':', civil.second()),
        ] {
            out.push(separator);
            write_filled(unsigned(value.into()), 2, b'0', out);
        }
        out.push(b'.');
        write_filled(unsigned(civil.millisecond().into()), 3, b'0', out);
        match &self.zoned {
            None => out.push(b'Z'),
            Some(_) => self.write_offset(b"", false, out),
        }
    }

    fn write_unit(&self, unit: TimeUnit, padding: Padding, out: &mut Vec<u8>) {
        match unit {
            TimeUnit::MonthShort => out.extend_from_slice(&self.month()[..3]),
            TimeUnit::MonthName => out.extend_from_slice(self.month()),
            TimeUnit::WeekdayShort => out.extend_from_slice(&self.weekday()[..3]),
            TimeUnit::WeekdayName => out.extend_from_slice(self.weekday()),
            TimeUnit::HalfDay => {
                out.extend_from_slice(if self.is_morning() { b"AM" } else { b"PM" })
            }
            TimeUnit::HalfDayLower => {
                out.extend_from_slice(if self.is_morning() { b"am" } else { b"pm" });
            }
            TimeUnit::Fraction(digits) => {
                let nanoseconds = unsigned(self.civil.subsec_nanosecond().into());
                let value = nanoseconds / 10_u64.pow(9 - u32::from(digits));
                write_filled(value, digits.into(), b'0', out);
            }
            TimeUnit::FractionTrimmed => self.write_trimmed(b"", b"0", out),
            TimeUnit::PointFractionTrimmed => self.write_trimmed(b".", b"", out),
            TimeUnit::Offset => self.write_offset(b"", false, out),
            TimeUnit::OffsetColon => self.write_offset(b":", false, out),
            TimeUnit::OffsetSeconds => self.write_offset(b":", true, out),
            TimeUnit::ZoneName => self.write_zone_name(out),
            TimeUnit::EpochSeconds => write_number(unsigned(self.at.as_second()), out),
            number => {
                let (value, width) = self.number(number);
                match padding {
                    Padding::Zero => write_filled(value, width, b'0', out),
                    Padding::Space => write_filled(value, width, b' ', out),
                    Padding::Absent => write_number(value, out),
                }
            }
        }
    }

    /// The value of a unit that is a number, and its usual width.
    fn number(&self, unit: TimeUnit) -> (u64, usize) {
        let civil = self.civil;
        let date = civil.date();
        let day_of_year = i64::from(date.day_of_year());
        let from_sunday = i64::from(date.weekday().to_sunday_zero_offset());
        let from_monday = i64::from(date.weekday().to_monday_zero_offset());
        let (value, width): (i64, usize) = match unit {
            TimeUnit::Year => (civil.year().into(), 1),
            TimeUnit::Century => (i64::from(civil.year()) / 100, 2),
            TimeUnit::YearOfCentury => (i64::from(civil.year()) % 100, 2),
            TimeUnit::Month => (civil.month().into(), 2),
            TimeUnit::Day => (civil.day().into(), 2),
            TimeUnit::DayOfYear => (day_of_year, 3),
            TimeUnit::WeekdayFromMonday => (from_monday + 1, 1),
            TimeUnit::WeekdayFromSunday => (from_sunday, 1),
            TimeUnit::IsoWeek => (date.iso_week_date().week().into(), 2),
            TimeUnit::IsoYear => (date.iso_week_date().year().into(), 1),
            TimeUnit::IsoYearOfCentury => (i64::from(date.iso_week_date().year()) % 100, 2),
            TimeUnit::WeekFromSunday => ((day_of_year + 6 - from_sunday) / 7, 2),
            TimeUnit::WeekFromMonday => ((day_of_year + 6 - from_monday) / 7, 2),
            TimeUnit::Hour => (civil.hour().into(), 2),
            TimeUnit::HourOfHalfDay => ((i64::from(civil.hour()) + 11) % 12 + 1, 2),
            TimeUnit::Minute => (civil.minute().into(), 2),
            _ => (civil.second().into(), 2),
        };
        (unsigned(value), width)
    }

    fn month(&self) -> &'static [u8] {
        MONTHS[usize::try_from(self.civil.month() - 1).unwrap_or(0)].as_bytes()
    }

    fn weekday(&self) -> &'static [u8] {
        match self.civil.weekday() {
            Weekday::Monday => b"Monday",
            Weekday::Tuesday => b"Tuesday",
            Weekday::Wednesday => b"Wednesday",
            Weekday::Thursday => b"Thursday",
            Weekday::Friday => b"Friday",
            Weekday::Saturday => b"Saturday",
            Weekday::Sunday => b"Sunday",
        }
    }

    fn is_morning(&self) -> bool {
        self.civil.hour() < 12
    }

    /// The fraction without the zeros at its end, behind `point`; `zero` where there is none.
    fn write_trimmed(&self, point: &[u8], zero: &[u8], out: &mut Vec<u8>) {
        let nanoseconds = unsigned(self.civil.subsec_nanosecond().into());
        if nanoseconds == 0 {
            return out.extend_from_slice(zero);
        }
        out.extend_from_slice(point);
        write_filled(nanoseconds, 9, b'0', out);
        while out.last() == Some(&b'0') {
            out.pop();
        }
    }

    /// `+0100`, with `colon` between the parts.
    fn write_offset(&self, colon: &[u8], with_seconds: bool, out: &mut Vec<u8>) {
        let seconds = self.zoned.as_ref().map_or(0, |zoned| zoned.offset().seconds());
        out.push(if seconds < 0 { b'-' } else { b'+' });
        let seconds = u64::from(seconds.unsigned_abs());
        write_filled(seconds / 3600, 2, b'0', out);
        out.extend_from_slice(colon);
        write_filled(seconds / 60 % 60, 2, b'0', out);
        if with_seconds {
            out.extend_from_slice(colon);
            write_filled(seconds % 60, 2, b'0', out);
        }
    }

    fn write_zone_name(&self, out: &mut Vec<u8>) {
        match &self.zoned {
            None => out.extend_from_slice(b"UTC"),
            Some(zoned) => {
                let info = zoned.time_zone().to_offset_info(self.at);
                out.extend_from_slice(info.abbreviation().as_bytes());
            }
        }
    }
}

/// Times before 1970 and before the year 0 are none that a request has.
fn unsigned(value: i64) -> u64 {
    value.max(0).cast_unsigned()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use ringmain_config::substitution_format::{FormatPart, Operator, SubstitutionFormat};

    use super::*;

    /// 2026-11-23T13:17:29.1245Z, a Monday.
    const AT: Duration = Duration::new(1_795_439_849, 124_500_000);

    fn written(format: &str) -> String {
        let format = SubstitutionFormat::parse(&format!("%START_TIME({format})%")).expect("legal");
        let [FormatPart::Operator { operator: Operator::Time { zone, format, .. }, .. }] =
            &format.parts[..]
        else {
            panic!("one operator");
        };
        let mut out = Vec::new();
        write(UNIX_EPOCH + AT, *zone, format.as_ref(), &mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn formats_are_written_as_envoy_writes_them() {
        for (format, expected) in [
            ("", "2026-11-23T13:17:29.124Z"),
            ("%s|%s%3f|%s.%f", "1795439849|1795439849124|1795439849.124500000"),
            ("%1f|%2f|%9f|%E3f|%E*f", "1|12|124500000|124|1245"),
            (
                "%c|%D|%F|%T|%R|%r",
                "Mon Nov 23 13:17:29 2026|11/23/26|2026-11-23|13:17:29|13:17|01:17:29 PM",
            ),
            ("%g %G %V %U %W %u %w %C %h %k %l %P", "26 2026 48 47 47 1 1 20 Nov 13  1 pm"),
            (
                "%Ez %E*z %E4Y %E*S %E6S %ET %z %Z",
                "+00:00 +00:00:00 2026 29.1245 29.124500 T +0000 UTC",
            ),
            ("%-d %_m %e %j %A %B", "23 11 23 327 Monday November"),
            ("%Y/%m/%d %H:%M:%S a%%b", "2026/11/23 13:17:29 a%b"),
        ] {
            assert_eq!(written(format), expected, "{format}");
        }
    }
}
