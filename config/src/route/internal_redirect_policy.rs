//! Redirects that are followed in place of being passed on.

use envoy_types::pb::envoy::config::core::v3::TypedExtensionConfig;
use envoy_types::pb::envoy::config::route::v3 as wire;
use envoy_types::pb::envoy::extensions::internal_redirect as predicates;
use predicates::allow_listed_routes::v3::AllowListedRoutesConfig;
use predicates::previous_routes::v3::PreviousRoutesConfig;
use predicates::safe_cross_scheme::v3::SafeCrossSchemeConfig;
use wire::route_action::InternalRedirectAction;

use crate::header_mutation::mutable_name;
use crate::report::{At, Note};
use crate::wire::unpack;

/// The only statuses that may be redirects.
const REDIRECTS: [u32; 5] = [301, 302, 303, 307, 308];

/// `envoy.config.route.v3.InternalRedirectPolicy`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InternalRedirectPolicy {
    /// `max_internal_redirects`, default 1: how many redirects of one request are followed.
    pub max_internal_redirects: u32,
    /// `redirect_response_codes`, default 302; those that are no redirects are left out.
    pub redirect_response_codes: Vec<u16>,
    /// `predicates`: all must accept a redirect.
    pub predicates: Vec<RedirectPredicate>,
    /// `allow_cross_scheme_redirect`, default false.
    pub allow_cross_scheme_redirect: bool,
    /// `response_headers_to_copy`, lower case: taken over from the redirect, or away.
    pub response_headers_to_copy: Vec<String>,
}

/// One of `predicates`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedirectPredicate {
    /// `envoy.internal_redirect_predicates.previous_routes`: not twice from here to the same route.
    PreviousRoutes,
    /// `envoy.internal_redirect_predicates.allow_listed_routes`: to routes of these names only.
    AllowListedRoutes(Vec<String>),
    /// `envoy.internal_redirect_predicates.safe_cross_scheme`: not from http to https.
    SafeCrossScheme,
}

impl InternalRedirectPolicy {
    /// Reads `internal_redirect_policy`, or the older fields that it takes the place of.
    pub(super) fn from_wire(wire: &wire::RouteAction, at: &At<'_>) -> Option<Self> {
        match &wire.internal_redirect_policy {
            Some(policy) => Some(Self::of_policy(policy, &at.field("internal_redirect_policy"))),
            None => Self::of_older_fields(wire),
        }
    }

    fn of_policy(wire: &wire::InternalRedirectPolicy, at: &At<'_>) -> Self {
        let codes = match wire.redirect_response_codes.as_slice() {
            [] => &[302],
            codes => codes,
        };
        let predicates_at = at.field("predicates");
        let predicates = wire.predicates.iter().enumerate();
        let copied_at = at.field("response_headers_to_copy");
        let copied = wire.response_headers_to_copy.iter().enumerate();
        Self {
            max_internal_redirects: wire.max_internal_redirects.map_or(1, |max| max.value),
            redirect_response_codes: codes
                .iter()
                .filter(|code| REDIRECTS.contains(code))
                .filter_map(|code| u16::try_from(*code).ok())
                .collect(),
            predicates: predicates
                .filter_map(|(index, wire)| {
                    RedirectPredicate::from_wire(wire, &predicates_at.index(index))
                })
                .collect(),
            allow_cross_scheme_redirect: wire.allow_cross_scheme_redirect,
            response_headers_to_copy: copied
                .filter_map(|(index, name)| mutable_name(name, "copied", &copied_at.index(index)))
                .collect(),
        }
    }

    #[expect(deprecated, reason = "Envoy still reads the older fields")]
    fn of_older_fields(wire: &wire::RouteAction) -> Option<Self> {
        let follows =
            wire.internal_redirect_action() == InternalRedirectAction::HandleInternalRedirect;
        follows.then(|| Self {
            max_internal_redirects: wire.max_internal_redirects.map_or(1, |max| max.value),
            redirect_response_codes: vec![302],
            predicates: Vec::new(),
            allow_cross_scheme_redirect: false,
            response_headers_to_copy: Vec::new(),
        })
    }
}

impl RedirectPredicate {
    fn from_wire(wire: &TypedExtensionConfig, at: &At<'_>) -> Option<Self> {
        // The field rules have seen to its presence.
        let any = wire.typed_config.as_ref()?;
        if unpack::<PreviousRoutesConfig>(any).is_some() {
            Some(Self::PreviousRoutes)
        } else if unpack::<SafeCrossSchemeConfig>(any).is_some() {
            Some(Self::SafeCrossScheme)
        } else if let Some(allowed) = unpack::<AllowListedRoutesConfig>(any) {
            Some(Self::AllowListedRoutes(allowed.allowed_route_names))
        } else {
            at.field("typed_config").error_at_key(
                Note::from("this is no predicate of internal redirects")
                    .help("use a message of envoy.extensions.internal_redirect"),
            );
            None
        }
    }
}
