//! What becomes of a request, by the look-up that serves.

use std::fmt::{self, Display, Formatter};

use ringmain_config::route::{Action, ClusterReference, ClusterSpecifier, Route};
use ringmain_proto_codec::KnownHeader;
use ringmain_proto_codec::h1::HeadProgress;

use super::question::Question;
use super::tables::{Tables, manager_of};
use super::{CheckError, explain};
use crate::http::ConnectionManager;
use crate::http::exchange::Exchange;
use crate::http::local_reply;
use crate::http::stream::StreamInfo;
use crate::router::{
    self, CompiledVirtualHost, Found, RouteRef, RouteRequest, RouteTable, Stop, serving_domain,
};

/// What becomes of a request. What does not apply is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The listener's name.
    pub listener: String,
    /// `name` of the route configuration.
    pub route_configuration: Option<String>,
    /// The virtual host's name, and why it.
    pub virtual_host: Option<(String, String)>,
    /// The route, and why it.
    pub route: Option<(RouteName, String)>,
    /// Routes before it, or before the end, whose path would do, and why not they.
    pub passed_over: Vec<(RouteName, String)>,
    /// The cluster's name.
    pub cluster: Option<String>,
    /// How it was chosen, where there was a choice.
    pub cluster_choice: Option<String>,
    /// The status of a reply without an upstream.
    pub status: Option<u16>,
    /// Why that reply, as in `%RESPONSE_CODE_DETAILS%`.
    pub details: Option<String>,
    /// `location` of a redirect.
    pub location: Option<String>,
    /// The path as the upstream gets it.
    pub path: Option<String>,
    /// The host as the upstream gets it.
    pub host: Option<String>,
}

/// A route of a virtual host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteName {
    /// Its place, from 0.
    pub index: u32,
    /// Its name; may be empty.
    pub name: String,
}

impl Answer {
    fn reply(&mut self, status: u16, details: &str) {
        self.status = Some(status);
        self.details = Some(details.to_owned());
    }

    fn redirect(&mut self, status: u16, details: &str, location: &[u8]) {
        self.reply(status, details);
        self.location = Some(text(location));
    }
}

/// Asks `tables`.
pub fn answer(question: &Question, tables: &Tables) -> Result<Answer, CheckError> {
    let head = question.head()?;
    let listener = tables.listener(question.listener.as_deref(), question.port())?;
    let connection = question.connection(listener.address());
    let manager = manager_of(listener, &connection)?;
    let mut answer = Answer { listener: listener.name.clone(), ..Answer::default() };
    let mut exchange = Exchange { info: StreamInfo::begin(&connection), ..Exchange::default() };
    let mut progress = HeadProgress::default();
    match exchange.request.parse(&head, &mut progress, &manager.request_options) {
        Ok(Some(_)) => {
            Asking { tables, manager, random: question.random }.look_up(&mut exchange, &mut answer);
        }
        Ok(None) => return Err(CheckError("the request's head is not complete".into())),
        Err(error) => answer.reply(error.status(), error.details()),
    }
    Ok(answer)
}

/// What a question goes through.
struct Asking<'a> {
    tables: &'a Tables,
    manager: &'a ConnectionManager,
    random: u64,
}

impl<'a> Asking<'a> {
    fn look_up(&self, exchange: &mut Exchange, answer: &mut Answer) {
        let draw = || self.random;
        let compiled = &self.tables.compiled;
        let ids = &self.tables.request_ids;
        let found = match router::look_up(self.manager, compiled, ids, draw, exchange) {
            Ok(found) => found,
            Err(stop) => return stopped(stop, exchange, answer),
        };
        self.explain(found, exchange, answer);
        let is_refused = router::asked_protocol(&exchange.request)
            .is_some_and(|protocol| !router::is_upgrade_allowed(self.manager, found, protocol));
        match found {
            Found::Route(_) | Found::TlsRedirect if is_refused => {
                answer
                    .reply(local_reply::UPGRADE_FAILED.status, local_reply::UPGRADE_FAILED.details);
            }
            Found::Route(found) if router::has_scheme(&exchange.request.headers) => {
                self.act(found, exchange, answer);
            }
            Found::TlsRedirect => {
                router::write_https_location(exchange);
                answer.redirect(301, "require_tls", &exchange.scratch);
            }
            Found::Route(_) | Found::Nothing => {
                let reply = local_reply::ROUTE_NOT_FOUND;
                answer.reply(reply.status, reply.details);
            }
        }
    }

    /// Says which table, virtual host and route it is, and why.
    fn explain(&self, found: Found, exchange: &Exchange, answer: &mut Answer) {
        let headers = &exchange.request.headers;
        let Some(table) = self.manager.routes.table_for(headers) else { return };
        let table = &self.manager.routes.tables()[table as usize];
        answer.route_configuration =
            Some(table.config.name.clone()).filter(|name| !name.is_empty());
        let Some(host) = table.find_virtual_host(headers) else { return };
        let host = &table.virtual_hosts()[host as usize];
        answer.virtual_host = Some((host.config.name.clone(), why_host(table, host, exchange)));
        if found == Found::TlsRedirect {
            return;
        }
        let name = |index: u32| {
            let route = &host.config.routes[index as usize];
            RouteName { index, name: route.name.clone() }
        };
        let random = || exchange.info.random(|| self.random);
        let request = RouteRequest { headers, random: &random, tls: None };
        table.find_in(host, &request, |index, unmet| {
            let matcher = &host.config.routes[index as usize].matcher;
            answer.passed_over.push((name(index), explain::unmet(matcher, unmet)));
        });
        if let Found::Route(found) = found {
            let route: &Route = table.route(found);
            answer.route = Some((name(found.index()), explain::matching(&route.matcher)));
        }
    }

    /// What the route does with the request.
    fn act(&self, found: RouteRef, exchange: &mut Exchange, answer: &mut Answer) {
        let route = self.manager.routes.route(found);
        match &route.action {
            Action::Route(action) => {
                self.choose(found, &action.cluster, exchange, answer);
                if answer.cluster.is_none() {
                    let reply = local_reply::cluster_not_found(action.cluster_not_found_status);
                    return answer.reply(reply.status, reply.details);
                }
                let compiled = &self.tables.compiled;
                router::write_upstream_request(self.manager, compiled, found, exchange);
                let headers = &exchange.request.headers;
                answer.path = headers.get(KnownHeader::Path).map(text);
                answer.host = headers.get(KnownHeader::Authority).map(text);
            }
            Action::Redirect(redirect) => {
                let compiled = &self.tables.compiled;
                router::write_location(redirect, route, self.manager, compiled, exchange);
                answer.redirect(redirect.status, "redirect", &exchange.scratch);
            }
            Action::DirectResponse(response) => {
                router::write_own_location(response, exchange);
                answer.reply(response.status, "direct_response");
                let location = Some(&exchange.scratch).filter(|location| !location.is_empty());
                answer.location = location.map(|location| text(location));
            }
            Action::NonForwarding => {
                let reply = local_reply::NON_FORWARDING;
                answer.reply(reply.status, reply.details);
            }
        }
    }

    fn choose(
        &self,
        found: RouteRef,
        specifier: &ClusterSpecifier,
        exchange: &mut Exchange,
        answer: &mut Answer,
    ) {
        let compiled = &self.tables.compiled;
        let draw = || self.random;
        router::choose(self.manager, &compiled.cluster_names, draw, exchange, found);
        let cluster = exchange.info.cluster.map(|index| &compiled.clusters[index].config.name);
        answer.cluster = cluster.cloned();
        answer.cluster_choice = match specifier {
            ClusterSpecifier::Cluster(name) if cluster.is_none() => {
                Some(format!("there is no cluster '{}'", name.name))
            }
            ClusterSpecifier::Cluster(_) => None,
            ClusterSpecifier::Header(header) => Some(format!("named by the header '{header}'")),
            ClusterSpecifier::Weighted(clusters) => {
                let chosen = exchange.info.weighted_cluster;
                let entry = chosen.and_then(|at| clusters.clusters.get(at as usize));
                entry.map(|entry| {
                    let by = match &entry.cluster {
                        ClusterReference::Cluster(_) => String::new(),
                        ClusterReference::Header(header) => {
                            format!(", named by the header '{header}'")
                        }
                    };
                    format!("weight {} of {}{by}", entry.weight, clusters.total_weight)
                })
            }
        };
    }
}

fn stopped(stop: Stop, exchange: &Exchange, answer: &mut Answer) {
    let reply = match stop {
        Stop::Nominated(reply) | Stop::Undetected(reply) => reply,
        Stop::NotRelative => local_reply::ABSOLUTE_PATH_REJECTED,
        Stop::PathRejected => local_reply::PATH_NORMALIZATION_FAILED,
        Stop::PathRedirect => {
            let path = exchange.request.headers.get(KnownHeader::Path).unwrap_or_default();
            return answer.redirect(307, "path_normalization_failed", path);
        }
    };
    answer.reply(reply.status, reply.details);
}

fn why_host(table: &RouteTable, host: &CompiledVirtualHost, exchange: &Exchange) -> String {
    let name = table.host_name(&exchange.request.headers).unwrap_or_default();
    let domain = serving_domain(&host.config.domains, name).map(explain::domain);
    format!("domain '{}' serves '{}'", domain.unwrap_or_default(), text(name))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Display for RouteName {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self.name.as_str() {
            "" => write!(f, "{}", self.index),
            name => write!(f, "{} ({name})", self.index),
        }
    }
}

impl Display for Answer {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let mut line = |name: &str, value: &str, why: Option<&str>| match why {
            Some(why) => writeln!(f, "{name:<14}{value}  [{why}]"),
            None => writeln!(f, "{name:<14}{value}"),
        };
        line("listener", &self.listener, None)?;
        if let Some(name) = &self.route_configuration {
            line("routes", name, None)?;
        }
        match &self.virtual_host {
            Some((name, why)) => line("virtual host", name, Some(why))?,
            None => line("virtual host", "none", None)?,
        }
        for (route, why) in &self.passed_over {
            line("passed over", &route.to_string(), Some(why))?;
        }
        match &self.route {
            Some((route, why)) => line("route", &route.to_string(), Some(why))?,
            None => line("route", "none", None)?,
        }
        if self.cluster.is_some() || self.cluster_choice.is_some() {
            let cluster = self.cluster.as_deref().unwrap_or("none");
            line("cluster", cluster, self.cluster_choice.as_deref())?;
        }
        if let Some(status) = self.status {
            line("status", &status.to_string(), self.details.as_deref())?;
        }
        let rest = [("location", &self.location), ("path", &self.path), ("host", &self.host)];
        for (name, value) in rest {
            if let Some(value) = value {
                line(name, value, None)?;
            }
        }
        Ok(())
    }
}
