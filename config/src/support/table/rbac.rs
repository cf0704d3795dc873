//! RBAC policies.

use super::{Message, NONE};

pub(super) const MESSAGES: &[Message] = &[
    Message { name: "envoy.config.rbac.v3.RBAC", supported: "action policies", ..NONE },
    Message { name: "envoy.config.rbac.v3.Policy", supported: "permissions principals", ..NONE },
    Message {
        name: "envoy.config.rbac.v3.Permission",
        supported: "and_rules or_rules any header url_path destination_ip destination_port \
                    destination_port_range metadata not_rule requested_server_name \
                    sourced_metadata",
        ..NONE
    },
    Message { name: "envoy.config.rbac.v3.Permission.Set", supported: "rules", ..NONE },
    Message {
        name: "envoy.config.rbac.v3.Principal",
        supported: "and_ids or_ids any authenticated source_ip direct_remote_ip remote_ip header \
                    url_path metadata not_id sourced_metadata filter_state",
        ..NONE
    },
    Message { name: "envoy.config.rbac.v3.Principal.Set", supported: "ids", ..NONE },
    Message {
        name: "envoy.config.rbac.v3.Principal.Authenticated",
        supported: "principal_name",
        ..NONE
    },
    Message {
        name: "envoy.config.rbac.v3.SourcedMetadata",
        supported: "metadata_matcher metadata_source",
        ..NONE
    },
    Message { name: "envoy.config.rbac.v3.Action", supported: "name action", ..NONE },
    Message {
        name: "xds.type.matcher.v3.Matcher",
        supported: "matcher_list matcher_tree on_no_match",
        ..NONE
    },
    Message { name: "xds.type.matcher.v3.Matcher.OnMatch", supported: "matcher action", ..NONE },
    Message { name: "xds.type.matcher.v3.Matcher.MatcherList", supported: "matchers", ..NONE },
    Message {
        name: "xds.type.matcher.v3.Matcher.MatcherList.FieldMatcher",
        supported: "predicate on_match",
        ..NONE
    },
    Message {
        name: "xds.type.matcher.v3.Matcher.MatcherList.Predicate",
        supported: "single_predicate or_matcher and_matcher not_matcher",
        ..NONE
    },
    Message {
        name: "xds.type.matcher.v3.Matcher.MatcherList.Predicate.PredicateList",
        supported: "predicate",
        ..NONE
    },
    Message {
        name: "xds.type.matcher.v3.Matcher.MatcherList.Predicate.SinglePredicate",
        supported: "input value_match",
        ..NONE
    },
    Message {
        name: "xds.type.matcher.v3.Matcher.MatcherTree",
        supported: "input exact_match_map prefix_match_map custom_match",
        ..NONE
    },
    Message { name: "xds.type.matcher.v3.Matcher.MatcherTree.MatchMap", supported: "map", ..NONE },
    Message { name: "xds.type.matcher.v3.IPMatcher", supported: "range_matchers", ..NONE },
    Message {
        name: "xds.type.matcher.v3.IPMatcher.IPRangeMatcher",
        supported: "ranges on_match exclusive",
        ..NONE
    },
    Message {
        name: "xds.type.matcher.v3.StringMatcher",
        supported: "exact prefix suffix contains safe_regex ignore_case",
        ..NONE
    },
    Message { name: "xds.type.matcher.v3.RegexMatcher", supported: "regex google_re2", ..NONE },
    Message { name: "xds.type.matcher.v3.RegexMatcher.GoogleRE2", ..NONE },
    Message { name: "xds.core.v3.TypedExtensionConfig", supported: "name typed_config", ..NONE },
    Message { name: "xds.core.v3.CidrRange", supported: "address_prefix prefix_len", ..NONE },
    Message {
        name: "envoy.extensions.matching.common_inputs.network.v3.DestinationIPInput",
        ..NONE
    },
    Message {
        name: "envoy.extensions.matching.common_inputs.network.v3.DestinationPortInput",
        ..NONE
    },
    Message { name: "envoy.extensions.matching.common_inputs.network.v3.SourceIPInput", ..NONE },
    Message { name: "envoy.extensions.matching.common_inputs.network.v3.SourcePortInput", ..NONE },
    Message {
        name: "envoy.extensions.matching.common_inputs.network.v3.DirectSourceIPInput",
        ..NONE
    },
    Message { name: "envoy.extensions.matching.common_inputs.network.v3.ServerNameInput", ..NONE },
    Message { name: "envoy.extensions.matching.common_inputs.ssl.v3.UriSanInput", ..NONE },
    Message { name: "envoy.extensions.matching.common_inputs.ssl.v3.DnsSanInput", ..NONE },
    Message { name: "envoy.extensions.matching.common_inputs.ssl.v3.SubjectInput", ..NONE },
    Message {
        name: "envoy.type.matcher.v3.HttpRequestHeaderMatchInput",
        supported: "header_name",
        ..NONE
    },
];
