//! The format of `START_TIME` and its like: `strftime`, with Envoy's `%f`, `%3f` and `%E3S`.

/// A format, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeFormat {
    /// As written.
    pub text: String,
    /// What is written, in order. Adjacent literals are joined.
    pub parts: Vec<TimePart>,
}

/// One piece of a time format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimePart {
    /// Text as it stands.
    Literal(String),
    /// A part of the time.
    Unit(TimeUnit, Padding),
}

/// How a number is filled up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// With zeros.
    Zero,
    /// With spaces.
    Space,
    /// Not at all.
    Absent,
}

/// A part of a time, by its conversion character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeUnit {
    /// `Y`.
    Year,
    /// `C`: the year's first two digits.
    Century,
    /// `y`: its last two.
    YearOfCentury,
    /// `m`.
    Month,
    /// `b`, `h`: `Jan`.
    MonthShort,
    /// `B`: `January`.
    MonthName,
    /// `d`, `e`.
    Day,
    /// `j`, three digits.
    DayOfYear,
    /// `a`: `Mon`.
    WeekdayShort,
    /// `A`: `Monday`.
    WeekdayName,
    /// `u`: 1 to 7, from Monday.
    WeekdayFromMonday,
    /// `w`: 0 to 6, from Sunday.
    WeekdayFromSunday,
    /// `V`: the week of ISO 8601.
    IsoWeek,
    /// `G`: its year.
    IsoYear,
    /// `g`: the last two digits of its year.
    IsoYearOfCentury,
    /// `U`: weeks begin on Sunday.
    WeekFromSunday,
    /// `W`: weeks begin on Monday.
    WeekFromMonday,
    /// `H`, `k`.
    Hour,
    /// `I`, `l`: 1 to 12.
    HourOfHalfDay,
    /// `p`: `AM`.
    HalfDay,
    /// `P`: `am`.
    HalfDayLower,
    /// `M`.
    Minute,
    /// `S`.
    Second,
    /// `s`: seconds since 1970.
    EpochSeconds,
    /// `f` with 1 to 9 digits.
    Fraction(u8),
    /// `E*f`: digits without the zeros at the end, at least one.
    FractionTrimmed,
    /// `E*S`: as [`TimeUnit::FractionTrimmed`] behind a point; nothing for zero.
    PointFractionTrimmed,
    /// `z`: `+0100`.
    Offset,
    /// `Ez`: `+01:00`.
    OffsetColon,
    /// `E*z`: `+01:00:00`.
    OffsetSeconds,
    /// `Z`: `UTC`, `CET`.
    ZoneName,
}

impl TimeFormat {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut format = Self { text: text.to_owned(), parts: Vec::new() };
        format.add(text)?;
        Ok(format)
    }

    fn add(&mut self, text: &str) -> Result<(), String> {
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            self.literal(before);
            let length = conversion_length(after);
            let conversion = &after[..length];
            self.conversion(conversion)?;
            rest = &after[length..];
        }
        self.literal(rest);
        Ok(())
    }

    fn literal(&mut self, text: &str) {
        match self.parts.last_mut() {
            _ if text.is_empty() => {}
            Some(TimePart::Literal(literal)) => literal.push_str(text),
            _ => self.parts.push(TimePart::Literal(text.to_owned())),
        }
    }

    fn conversion(&mut self, conversion: &str) -> Result<(), String> {
        let composite = match conversion {
            "" | "%" => {
                self.literal("%");
                return Ok(());
            }
            "t" => "\t",
            "ET" => "T",
            "c" => "%a %b %e %H:%M:%S %Y",
            "D" | "x" => "%m/%d/%y",
            "F" => "%Y-%m-%d",
            "T" | "X" => "%H:%M:%S",
            "R" => "%H:%M",
            "r" => "%I:%M:%S %p",
            _ => return self.simple(conversion),
        };
        self.add(composite)
    }

    fn simple(&mut self, conversion: &str) -> Result<(), String> {
        let unknown = || match conversion.ends_with('n') {
            true => "a time format must not contain a newline".to_owned(),
            false => format!("'%{conversion}' is no part of a time that is known here"),
        };
        if let Some(fraction) = fraction(conversion) {
            self.parts.push(TimePart::Unit(fraction, Padding::Zero));
            return Ok(());
        }
        if let Some(digits) = conversion.strip_prefix('E').and_then(|rest| rest.strip_suffix('S')) {
            self.parts.push(TimePart::Unit(TimeUnit::Second, Padding::Zero));
            match digits {
                "" | "0" => {}
                "*" => {
                    self.parts.push(TimePart::Unit(TimeUnit::PointFractionTrimmed, Padding::Zero));
                }
                digits => {
                    let digits = digit_count(digits).ok_or_else(unknown)?;
                    self.literal(".");
                    self.parts.push(TimePart::Unit(TimeUnit::Fraction(digits), Padding::Zero));
                }
            }
            return Ok(());
        }
        let (flag, name) = match conversion.as_bytes().first() {
            Some(b'-') => (Some(Padding::Absent), &conversion[1..]),
            Some(b'_') => (Some(Padding::Space), &conversion[1..]),
            Some(b'0') => (Some(Padding::Zero), &conversion[1..]),
            _ => (None, conversion),
        };
        let (unit, padding) = unit(name).ok_or_else(unknown)?;
        self.parts.push(TimePart::Unit(unit, flag.unwrap_or(padding)));
        Ok(())
    }
}

/// Bytes of the conversion at the front of `text`: flags, digits and modifiers, then a character.
fn conversion_length(text: &str) -> usize {
    let mut characters = text.char_indices();
    characters
        .find(|(_, character)| {
            !matches!(character, '-' | '_' | '^' | '#' | '*' | '0'..='9' | 'E' | 'O' | ':')
        })
        .map_or(text.len(), |(start, character)| start + character.len_utf8())
}

/// `f`, `3f`, `E3f`, `E*f`.
fn fraction(conversion: &str) -> Option<TimeUnit> {
    let digits = conversion.strip_suffix('f')?;
    match digits.strip_prefix('E').unwrap_or(digits) {
        "" => Some(TimeUnit::Fraction(9)),
        "*" if digits.len() == 2 => Some(TimeUnit::FractionTrimmed),
        digits => digit_count(digits).map(TimeUnit::Fraction),
    }
}

fn digit_count(text: &str) -> Option<u8> {
    text.parse().ok().filter(|count| text.len() == 1 && (1..=9).contains(count))
}

fn unit(name: &str) -> Option<(TimeUnit, Padding)> {
    use Padding::{Space, Zero};
    let name = match name.strip_prefix(['E', 'O']) {
        // Other calendars and digits, which the C locale has not.
        Some(plain) if plain.len() == 1 && !matches!(plain, "z" | "T") => plain,
        _ => name,
    };
    Some(match name {
        "Y" | "E4Y" => (TimeUnit::Year, Zero),
        "C" => (TimeUnit::Century, Zero),
        "y" => (TimeUnit::YearOfCentury, Zero),
        "m" => (TimeUnit::Month, Zero),
        "b" | "h" => (TimeUnit::MonthShort, Zero),
        "B" => (TimeUnit::MonthName, Zero),
        "d" => (TimeUnit::Day, Zero),
        "e" => (TimeUnit::Day, Space),
        "j" => (TimeUnit::DayOfYear, Zero),
        "a" => (TimeUnit::WeekdayShort, Zero),
        "A" => (TimeUnit::WeekdayName, Zero),
        "u" => (TimeUnit::WeekdayFromMonday, Zero),
        "w" => (TimeUnit::WeekdayFromSunday, Zero),
        "V" => (TimeUnit::IsoWeek, Zero),
        "G" => (TimeUnit::IsoYear, Zero),
        "g" => (TimeUnit::IsoYearOfCentury, Zero),
        "U" => (TimeUnit::WeekFromSunday, Zero),
        "W" => (TimeUnit::WeekFromMonday, Zero),
        "H" => (TimeUnit::Hour, Zero),
        "k" => (TimeUnit::Hour, Space),
        "I" => (TimeUnit::HourOfHalfDay, Zero),
        "l" => (TimeUnit::HourOfHalfDay, Space),
        "p" => (TimeUnit::HalfDay, Zero),
        "P" => (TimeUnit::HalfDayLower, Zero),
        "M" => (TimeUnit::Minute, Zero),
        "S" => (TimeUnit::Second, Zero),
        "s" => (TimeUnit::EpochSeconds, Zero),
        "z" => (TimeUnit::Offset, Zero),
        "Ez" | ":z" => (TimeUnit::OffsetColon, Zero),
        "E*z" | "::z" => (TimeUnit::OffsetSeconds, Zero),
        "Z" => (TimeUnit::ZoneName, Zero),
        _ => return None,
    })
}
