//! What strings, headers, metadata and objects are held against (`envoy.type.matcher.v3` and
//! `envoy.config.route.v3.HeaderMatcher`). A matcher that was read is legal and can be asked.

mod filter_state;
mod header;
mod metadata;
mod re2;
mod regex;
mod rewrite;
mod string;

pub use self::filter_state::FilterStateMatcher;
pub(crate) use self::header::looked_up_name;
pub use self::header::{HeaderMatcher, HeaderTest};
pub use self::metadata::{MetadataMatcher, ValueMatcher};
pub use self::regex::FullRegex;
pub(crate) use self::regex::Regexes;
pub(crate) use self::rewrite::Piece;
pub use self::rewrite::RegexRewrite;
pub use self::string::{StringMatcher, StringTest};
