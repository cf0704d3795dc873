//! Format strings: reading never panics, and what is read is printed as something that is read alike.

use ringmain_config::substitution_format::{Formatters, SubstitutionFormat};

/// Checks `bytes` as a format, with and without the operators of formatters.
pub fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for req_without_query in [false, true] {
        let formatters = Formatters { req_without_query };
        let Ok(format) = SubstitutionFormat::parse_with(&text, formatters) else { continue };
        let printed = format.to_string();
        let again = SubstitutionFormat::parse_with(&printed, formatters);
        assert_eq!(again.as_ref(), Ok(&format), "{text:?} is printed as {printed:?}");
        assert_eq!(again.map(|again| again.to_string()), Ok(printed));
    }
}
