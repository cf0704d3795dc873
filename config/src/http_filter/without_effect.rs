//! Filters that do nothing for any request: the user is told of them.

use super::{HttpFilter, HttpFilterConfig, PerFilterConfig, PerFilterConfigs, PerRoute};
use crate::http_connection_manager::RouteSpecifier;
use crate::report::At;
use crate::route::RouteConfiguration;

/// Warns of `filters`, which stand in the field `http_filters` that `at` stands for.
pub(crate) fn warn(filters: &[HttpFilter], routes: &RouteSpecifier, at: &At<'_>) {
    for filter in filters {
        let is_cors = matches!(filter.config, HttpFilterConfig::Cors);
        if !filter.disabled && !is_cors {
            continue;
        }
        let mut of_levels = levels(routes).filter_map(|level| level.get(&filter.name));
        let (has_effect, why) = if filter.disabled {
            let enabled = of_levels.any(|config| !matches!(config, PerFilterConfig::Disabled));
            (enabled, "is disabled, and no route enables it")
        } else {
            let has_policy =
                of_levels.any(|config| matches!(config, PerFilterConfig::Own(PerRoute::Cors(_))));
            (has_policy, "has no policy in 'typed_per_filter_config' of any route")
        };
        if !has_effect {
            at.index(filter.index).warn(format!("filter '{}' {why}: no effect", filter.name));
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
