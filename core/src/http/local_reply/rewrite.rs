//! `local_reply_config`: another status, body and further headers for replies of our own.

use ringmain_config::header_mutation::HeaderValueOption;
use ringmain_config::local_reply_config::LocalReplyConfig;
use ringmain_config::substitution_format::{FormatBody, SubstitutionFormatString};

use super::Reply;
use crate::access_log::{AccessLogType, Evaluator, Filter, render};
use crate::http::ConnectionManager;
use crate::http::exchange::Exchange;
use crate::router::{Direction, add_headers};
use crate::server::Worker;

/// `LocalReplyConfig`, compiled.
#[derive(Debug)]
pub struct LocalReplies {
    mappers: Box<[Mapper]>,
    body_format: Option<SubstitutionFormatString>,
}

#[derive(Debug)]
struct Mapper {
    filter: Filter,
    status_code: Option<u16>,
    body: Option<Vec<u8>>,
    body_format_override: Option<SubstitutionFormatString>,
    headers_to_add: Vec<HeaderValueOption>,
}

/// What a reply has become.
#[derive(Debug)]
pub(super) struct Rewritten<'a> {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    pub(super) content_type: &'a str,
}

impl LocalReplies {
    /// Compiles `config`.
    pub fn new(config: &LocalReplyConfig) -> Self {
        let mappers = config.mappers.iter().map(|mapper| Mapper {
            filter: Filter::new(&mapper.filter),
            status_code: mapper.status_code,
            body: mapper.body.clone(),
            body_format_override: mapper.body_format_override.clone(),
            headers_to_add: mapper.headers_to_add.clone(),
        });
        Self { mappers: mappers.collect(), body_format: config.body_format.clone() }
    }

    /// Rewrites `reply`; further headers go to the response of `exchange`, which has those of the
    /// route already.
    pub(super) fn rewrite(
        &self,
        reply: &Reply<'_>,
        manager: &ConnectionManager,
        worker: &Worker,
        exchange: &mut Exchange,
    ) -> Rewritten<'_> {
        let (mut status, mut body) = (reply.status, reply.body);
        exchange.info.response_code = status;
        let mapper = self.mappers.iter().find(|mapper| {
            let stream = evaluator(exchange, manager, worker, body);
            mapper.filter.passes(&stream, &|| worker.random.next())
        });
        let mut format = self.body_format.as_ref();
        if let Some(mapper) = mapper {
            body = mapper.body.as_deref().unwrap_or(body);
            add_headers(
                &mapper.headers_to_add,
                manager,
                &worker.compiled,
                Direction::Response,
                exchange,
            );
            status = mapper.status_code.unwrap_or(status);
            exchange.info.response_code = status;
            exchange.response.status = status;
            format = mapper.body_format_override.as_ref().or(format);
        }
        let Some(format) = format else {
            return Rewritten { status, body: body.to_vec(), content_type: TEXT };
        };
        let mut formatted = Vec::new();
        render(format, &evaluator(exchange, manager, worker, body), &mut formatted);
        Rewritten { status, body: formatted, content_type: content_type(format) }
    }
}

/// The `content-type` of a reply whose format names none.
pub(super) const TEXT: &str = "text/plain";
/// That of a JSON format that names none.
pub(super) const JSON: &str = "application/json";

fn content_type(format: &SubstitutionFormatString) -> &str {
    match (format.content_type.as_str(), &format.body) {
        ("", FormatBody::Text(_)) => TEXT,
        ("", FormatBody::Json(_)) => JSON,
        (named, _) => named,
    }
}

fn evaluator<'a>(
    exchange: &'a Exchange,
    manager: &'a ConnectionManager,
    worker: &'a Worker,
    body: &'a [u8],
) -> Evaluator<'a> {
    let stream = Evaluator::new(exchange, manager, &worker.compiled, AccessLogType::NotSet);
    Evaluator { local_reply_body: body, ..stream }
}
