//! Filters that do nothing for any request: the user is told of them.

use super::{HttpFilter, HttpFilterConfig, PerFilterConfig, PerFilterConfigs, PerRoute};
use crate::http_connection_manager::RouteSpecifier;
use crate::report::{At, Note};
use crate::route::RouteConfiguration;

/// Warns of `filters`, which stand in the field `http_filters` that `at` stands for.
pub(crate) fn warn(filters: &[HttpFilter], routes: &RouteSpecifier, at: &At<'_>) {
    for filter in filters {
        let is_cors = matches!(filter.config, HttpFilterConfig::Cors);
        if !filter.disabled && !is_cors {
            continue;
        }
        let mut of_levels = levels(routes).filter_map(|level| level.get(&filter.name));
        let (has_effect, why, cure) = if filter.disabled {
            let enabled = of_levels.any(|config| !matches!(config, PerFilterConfig::Disabled));
            (enabled, "is disabled, and no route enables it", "remove it, or 'disabled: true'")
        } else {
            let has_policy =
                of_levels.any(|config| matches!(config, PerFilterConfig::Own(PerRoute::Cors(_))));
            let why = "has no policy in 'typed_per_filter_config' of any route";
            (has_policy, why, "add a CorsPolicy under the filter's name, or remove the filter")
        };
        if !has_effect {
            at.index(filter.index)
                .warn(Note::from(format!("filter '{}' {why}: no effect", filter.name)).help(cure));
        }
    }
}

/// What every level of every route configuration says of filters.
fn levels(routes: &RouteSpecifier) -> impl Iterator<Item = &PerFilterConfigs> {
    let tables: Vec<&RouteConfiguration> = match routes {
        RouteSpecifier::RouteConfig(config) => vec![config],
        RouteSpecifier::ScopedRoutes(scoped) => {
            scoped.scopes.iter().map(|scope| &scope.route_configuration).collect()
        }
    };
    tables.into_iter().flat_map(RouteConfiguration::per_filter_configs_of_all_levels)
}
