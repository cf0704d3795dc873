//! `envoy.extensions.filters.http.header_mutation.v3`.

use envoy_types::pb::envoy::config::common::mutation_rules::v3 as rules;
use envoy_types::pb::envoy::extensions::filters::http::header_mutation::v3 as wire;
use rules::header_mutation::Action;

use crate::header_mutation::{HeaderValueOption, mutable_name};
use crate::matcher::StringMatcher;
use crate::report::At;

/// `envoy.extensions.filters.http.header_mutation.v3.HeaderMutation`.
#[derive(Debug, Clone)]
pub struct HeaderMutationFilter {
    /// `mutations`, which come before those of routes.
    pub mutations: Mutations,
    /// `most_specific_header_mutations_wins`, default false: the widest level acts last.
    pub most_specific_header_mutations_wins: bool,
}

/// `envoy.extensions.filters.http.header_mutation.v3.Mutations`.
#[derive(Debug, Clone, Default)]
pub struct Mutations {
    /// `request_mutations`, in order.
    pub request_mutations: Vec<Mutation>,
    /// `response_mutations`, in order.
    pub response_mutations: Vec<Mutation>,
}

/// `envoy.config.common.mutation_rules.v3.HeaderMutation`.
#[derive(Debug, Clone)]
pub enum Mutation {
    /// `append`.
    Append(HeaderValueOption),
    /// `remove`, lower case.
    Remove(String),
    /// `remove_on_match.key_matcher`.
    RemoveOnMatch(StringMatcher),
}

impl HeaderMutationFilter {
    pub(super) fn from_wire(wire: &wire::HeaderMutation, at: &At<'_>) -> Self {
        Self {
            mutations: Mutations::from_wire(wire.mutations.as_ref(), at),
            most_specific_header_mutations_wins: wire.most_specific_header_mutations_wins,
        }
    }
}

impl Mutations {
    pub(super) fn from_wire(wire: Option<&wire::Mutations>, at: &At<'_>) -> Self {
        let Some(wire) = wire else { return Self::default() };
        let at = at.field("mutations");
        Self {
            request_mutations: Mutation::list_from_wire(
                &wire.request_mutations,
                &at.field("request_mutations"),
            ),
            response_mutations: Mutation::list_from_wire(
                &wire.response_mutations,
                &at.field("response_mutations"),
            ),
        }
    }
}

impl Mutations {
    pub(super) fn header_options(&self) -> Vec<&HeaderValueOption> {
        let all = self.request_mutations.iter().chain(&self.response_mutations);
        all.filter_map(Mutation::header_option).collect()
    }
}

impl Mutation {
    /// Reads the list that `at` stands for.
    pub(crate) fn list_from_wire(wire: &[rules::HeaderMutation], at: &At<'_>) -> Vec<Self> {
        let mutations = wire.iter().enumerate();
        mutations.filter_map(|(index, wire)| Self::from_wire(wire, &at.index(index))).collect()
    }

    /// What it adds, where it does.
    pub fn header_option(&self) -> Option<&HeaderValueOption> {
        match self {
            Self::Append(option) => Some(option),
            Self::Remove(_) | Self::RemoveOnMatch(_) => None,
        }
    }

    fn from_wire(wire: &rules::HeaderMutation, at: &At<'_>) -> Option<Self> {
        match wire.action.as_ref()? {
            Action::Append(option) => {
                HeaderValueOption::from_wire(option, &at.field("append")).map(Self::Append)
            }
            Action::Remove(name) => {
                mutable_name(name, "removed", &at.field("remove")).map(Self::Remove)
            }
            Action::RemoveOnMatch(matching) => {
                let at = at.field("remove_on_match");
                let matcher = matching.key_matcher.as_ref()?;
                StringMatcher::from_wire(matcher, &at.field("key_matcher")).map(Self::RemoveOnMatch)
            }
        }
    }
}
