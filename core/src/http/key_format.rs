//! `header_key_format` as the codec knows it, towards clients and towards hosts.

use ringmain_config::header_key_format::HeaderKeyFormat;
use ringmain_proto_codec::h1::KeyFormat;

/// How names are written that have no case of their own.
pub fn for_writing(format: HeaderKeyFormat) -> KeyFormat {
    match format {
        HeaderKeyFormat::LowerCase | HeaderKeyFormat::PreserveCase { .. } => KeyFormat::LowerCase,
        HeaderKeyFormat::ProperCaseWords => KeyFormat::ProperCaseWords,
    }
}

/// Where names that are read keep their case: how others are written beside them.
pub fn kept_from_reading(format: HeaderKeyFormat) -> Option<KeyFormat> {
    match format {
        HeaderKeyFormat::LowerCase | HeaderKeyFormat::ProperCaseWords => None,
        HeaderKeyFormat::PreserveCase { others_in_proper_case: false } => {
            Some(KeyFormat::LowerCase)
        }
        HeaderKeyFormat::PreserveCase { others_in_proper_case: true } => {
            Some(KeyFormat::ProperCaseWords)
        }
    }
}
