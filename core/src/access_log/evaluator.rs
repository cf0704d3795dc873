//! The values of operators for one stream.

use std::time::{Instant, SystemTime};

use ringmain_config::filter_chain::FilterChain;
use ringmain_config::metadata::Metadata;
use ringmain_config::number::write_json;
use ringmain_config::substitution_format::{
    Clock, FilterStateForm, GrpcStatusForm, MetadataPath, MetadataSource, Operator,
};
use ringmain_proto_codec::h1::Version;

use super::number::write_number;
use super::{AccessLogType, grpc_status, time_text};
use crate::http::ConnectionManager;
use crate::http::exchange::Exchange;
use crate::http::stream_objects::StreamObject;
use crate::listener::{FilterChainPlace, Listener};
use crate::router::{RequestGroups, Routes};
use crate::server::Compiled;

/// What kind of value was written; JSON keeps the difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any bytes.
    Text,
    /// A number.
    Number,
    /// JSON, of metadata and objects.
    Json,
}

/// What operators are evaluated on.
#[derive(Debug, Clone, Copy)]
pub struct Evaluator<'a> {
    /// The request, its response and their record.
    pub exchange: &'a Exchange,
    /// The filter chain that serves the connection.
    pub place: FilterChainPlace,
    /// The routes of HTTP; absent where the connection is not HTTP.
    pub routes: Option<&'a Routes>,
    /// The groups that requests of HTTP are counted in.
    pub request_groups: Option<&'a RequestGroups>,
    /// What HTTP the client speaks.
    pub protocol: Option<Version>,
    /// The configuration.
    pub compiled: &'a Compiled,
    /// Why something is written.
    pub log_type: AccessLogType,
    /// The body of a local reply that is being made; else empty.
    pub local_reply_body: &'a [u8],
    /// When it is written.
    pub now: Instant,
}

impl<'a> Evaluator<'a> {
    /// For what is said of `exchange` now.
    pub fn new(
        exchange: &'a Exchange,
        manager: &'a ConnectionManager,
        compiled: &'a Compiled,
        log_type: AccessLogType,
    ) -> Self {
        Self {
            routes: Some(&manager.routes),
            request_groups: Some(&manager.request_groups),
            protocol: Some(exchange.request.version),
            ..Self::of_connection(exchange, manager.place, compiled, log_type)
        }
    }

    /// For what is said of a connection, not of a stream; `exchange` holds nothing but its record.
    pub fn of_connection(
        exchange: &'a Exchange,
        place: FilterChainPlace,
        compiled: &'a Compiled,
        log_type: AccessLogType,
    ) -> Self {
        let now = Instant::now();
        Self {
            exchange,
            place,
            routes: None,
            request_groups: None,
            protocol: None,
            compiled,
            log_type,
            local_reply_body: b"",
            now,
        }
    }

    /// Appends the value of `operator` and tells its kind; `None`, where there is none, may leave
    /// bytes behind.
    pub fn write(&self, operator: &Operator, out: &mut Vec<u8>) -> Option<Kind> {
        match operator {
            Operator::Plain(plain) => self.plain(*plain, out),
            Operator::Tls(tls, format) => self.tls(*tls, format.as_ref(), out),
            Operator::Absent(_) => None,
            Operator::GrpcStats(form) => self.grpc_stats(form, out),
            Operator::FilterState { upstream, key, form } => {
                let objects = (!upstream).then_some(&self.exchange.info.objects)?;
                write_object(objects.get(key)?, form, out)
            }
            Operator::Header(source, operand) => self.header(*source, operand, out),
            Operator::Time { clock, zone, format } => {
                let at = match clock {
                    Clock::Start => self.exchange.info.started_at,
                    Clock::Emit => SystemTime::now(),
                };
                time_text::write(at, *zone, format.as_ref(), out);
                Some(Kind::Text)
            }
            Operator::CommonDuration(duration) => self.common_duration(duration, out),
            Operator::Address(address, part) => self.address(*address, *part, out),
            Operator::ResponseCodeDetails { keeps_spaces } => self.details(*keeps_spaces, out),
            Operator::GrpcStatus(form) => {
                grpc_status::write(grpc_status::of_grpc_request(self.exchange)?, *form, out);
                let is_number = *form == GrpcStatusForm::Number;
                Some(if is_number { Kind::Number } else { Kind::Text })
            }
            Operator::Path(form, source) => self.path(*form, *source, out),
            Operator::QueryParameter(name) => self.query_parameter(name, out),
            Operator::QueryParameters => self.query(out),
            Operator::RequestedServerName(name) => self.server_name(*name, out),
            Operator::Environment { value, .. } => {
                out.extend_from_slice(value.as_bytes());
                Some(Kind::Text)
            }
            Operator::Metadata(source, path) => self.metadata(*source, path, out),
        }
    }

    /// The listener that took the connection.
    pub(super) fn listener(&self) -> &'a Listener {
        &self.compiled.listeners[self.place.listener]
    }

    /// The filter chain that serves the connection, as written.
    pub(super) fn filter_chain(&self) -> Option<&'a FilterChain> {
        self.listener().config.filter_chains.get(self.place.filter_chain?)
    }

    /// The same where the value of `operator` alone is a value of JSON.
    pub fn write_json(&self, operator: &Operator, out: &mut Vec<u8>) -> Option<Kind> {
        match operator {
            Operator::GrpcStats(FilterStateForm::Typed) => {
                self.grpc_messages(["request_message_count", "response_message_count"], out)
            }
            operator => self.write(operator, out),
        }
    }

    /// How many messages a call of gRPC has had. In text Envoy writes the names as protobuf's JSON has them.
    fn grpc_stats(&self, form: &FilterStateForm, out: &mut Vec<u8>) -> Option<Kind> {
        match form {
            FilterStateForm::Typed => {
                self.grpc_messages(["requestMessageCount", "responseMessageCount"], out)
            }
            FilterStateForm::Plain => {
                let (requests, responses) = self.exchange.filters.grpc.as_ref()?.filter_state()?;
                write_number(requests, out);
                out.push(b',');
                write_number(responses, out);
                Some(Kind::Text)
            }
            // It has no fields to be asked for.
            FilterStateForm::Field(_) => None,
        }
    }

    /// The same as JSON, by these names. Protobuf has numbers of 64 bits as strings there, and no zeros.
    fn grpc_messages(&self, names: [&str; 2], out: &mut Vec<u8>) -> Option<Kind> {
        let (requests, responses) = self.exchange.filters.grpc.as_ref()?.filter_state()?;
        let counts = names.into_iter().zip([requests, responses]).filter(|(_, count)| *count > 0);
        let fields = counts.map(|(name, count)| (name.to_owned(), count.to_string().into()));
        serde_json::to_writer(&mut *out, &serde_json::Map::from_iter(fields)).ok()?;
        Some(Kind::Json)
    }

    fn metadata(
        &self,
        source: MetadataSource,
        path: &MetadataPath,
        out: &mut Vec<u8>,
    ) -> Option<Kind> {
        let value = self.metadata_of(source)?.get(&path.namespace, &path.keys)?;
        if let Some(text) = value.as_str() {
            out.extend_from_slice(text.as_bytes());
            return Some(Kind::Text);
        }
        write_json(value, out).ok()?;
        Some(Kind::Json)
    }

    fn metadata_of(&self, source: MetadataSource) -> Option<&'a Metadata> {
        let info = &self.exchange.info;
        Some(match source {
            MetadataSource::Dynamic => info.dynamic_metadata.get()?,
            MetadataSource::Cluster => &self.compiled.clusters[info.cluster?].config.metadata,
            MetadataSource::Route => &self.routes?.route(info.route?).metadata,
            MetadataSource::VirtualHost => &self.routes?.virtual_host(info.route?).config.metadata,
            MetadataSource::Listener => &self.listener().config.metadata,
            MetadataSource::FilterChain => &self.filter_chain()?.metadata,
        })
    }
}

/// Appends an object as `form` has it; text has no fields.
fn write_object(object: &StreamObject, form: &FilterStateForm, out: &mut Vec<u8>) -> Option<Kind> {
    match form {
        FilterStateForm::Plain => {
            out.extend_from_slice(&object.text);
            Some(Kind::Text)
        }
        FilterStateForm::Typed if object.is_typed => {
            serde_json::to_writer(out, &String::from_utf8_lossy(&object.text)).ok()?;
            Some(Kind::Json)
        }
        FilterStateForm::Typed | FilterStateForm::Field(_) => None,
    }
}
