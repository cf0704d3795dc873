//! Matchers and value types that many messages use.

use super::{Message, NONE};

pub(super) const MESSAGES: &[Message] = &[
    Message { name: "envoy.type.v3.HashPolicy", supported: "source_ip", ..NONE },
    Message { name: "envoy.type.v3.HashPolicy.SourceIp", ..NONE },
    Message {
        name: "envoy.type.matcher.v3.AddressMatcher",
        supported: "ranges invert_match",
        ..NONE
    },
    Message { name: "envoy.type.v3.HttpStatus", supported: "code", ..NONE },
    Message {
        name: "envoy.type.v3.TokenBucket",
        supported: "max_tokens tokens_per_fill fill_interval",
        ..NONE
    },
    Message { name: "envoy.type.matcher.v3.PathMatcher", supported: "path", ..NONE },
    Message { name: "envoy.type.v3.Int32Range", supported: "start end", ..NONE },
    Message { name: "envoy.type.v3.FractionalPercent", supported: "numerator denominator", ..NONE },
    Message { name: "envoy.type.v3.Int64Range", supported: "start end", ..NONE },
    Message { name: "envoy.type.v3.DoubleRange", supported: "start end", ..NONE },
    Message {
        name: "envoy.type.matcher.v3.StringMatcher",
        supported: "exact prefix suffix contains safe_regex ignore_case",
        ..NONE
    },
    Message { name: "envoy.type.matcher.v3.RegexMatcher", supported: "regex google_re2", ..NONE },
    Message {
        name: "envoy.type.matcher.v3.RegexMatcher.GoogleRE2",
        harmless: "max_program_size",
        ..NONE
    },
    Message {
        name: "envoy.type.matcher.v3.FilterStateMatcher",
        supported: "key string_match",
        ..NONE
    },
    Message {
        name: "envoy.type.matcher.v3.MetadataMatcher",
        supported: "filter path value invert",
        ..NONE
    },
    Message { name: "envoy.type.matcher.v3.MetadataMatcher.PathSegment", supported: "key", ..NONE },
    Message {
        name: "envoy.type.matcher.v3.ValueMatcher",
        supported: "null_match double_match string_match bool_match present_match list_match or_match",
        ..NONE
    },
    Message { name: "envoy.type.matcher.v3.ValueMatcher.NullMatch", ..NONE },
    Message { name: "envoy.type.matcher.v3.DoubleMatcher", supported: "range exact", ..NONE },
    Message { name: "envoy.type.matcher.v3.ListMatcher", supported: "one_of", ..NONE },
    Message { name: "envoy.type.matcher.v3.OrMatcher", supported: "value_matchers", ..NONE },
    Message {
        name: "envoy.type.matcher.v3.RegexMatchAndSubstitute",
        supported: "pattern substitution",
        ..NONE
    },
    Message { name: "envoy.type.v3.Percent", supported: "value", ..NONE },
];
