//! The admin connections: few at a time, none for ever, so that a slow client costs little, and many keep nobody out.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::{Domain, Socket};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio_io_timeout::TimeoutStream;

use super::places::{Places, TakenPlace};
use crate::runtime;
use crate::server::Control;

/// How long a client may take to send a request's head, or to take more of an answer.
const CLIENT_LIMIT: Duration = Duration::from_secs(30);
/// How long accepting pauses when the process is out of descriptors.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);

/// Where admin's clients connect.
#[derive(Debug)]
pub enum Listener {
    /// By `socket_address`.
    Tcp(TcpListener),
    /// By `pipe`.
    Pipe(UnixListener),
}

impl Listener {
    /// Brings a bound socket onto the control thread.
    pub fn new(socket: Socket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let is_pipe = socket.domain()? == Domain::UNIX;
        let socket = OwnedFd::from(socket);
        Ok(match is_pipe {
            true => Self::Pipe(UnixListener::from_std(socket.into())?),
            false => Self::Tcp(TcpListener::from_std(socket.into())?),
        })
    }

    async fn accept(&self) -> io::Result<TcpStream> {
        match self {
            Self::Tcp(listener) => Ok(listener.accept().await?.0),
            Self::Pipe(listener) => runtime::like_tcp(listener.accept().await?.0),
        }
    }
}

/// Accepts for ever.
pub async fn accept(control: Arc<Control>, listener: Listener, routes: Router) {
    let counted = axum::middleware::from_fn_with_state(control.clone(), count_request);
    let routes = routes.layer(counted);
    let mut places = Places::default();
    loop {
        match listener.accept().await {
            Ok(stream) => {
                let place = places.take().await;
                let (control, routes) = (control.clone(), routes.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        () = serve(&control, stream, routes, &place) => {}
                        () = place.lost() => {}
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "admin cannot accept; trying again in {EXHAUSTED_PAUSE:?}");
                tokio::time::sleep(EXHAUSTED_PAUSE).await;
            }
        }
    }
}

async fn serve(control: &Control, stream: TcpStream, routes: Router, place: &TakenPlace) {
    let _counted = Counted::new(control);
    // Answers are small or come in one piece: waiting for more to send gains nothing.
    let _not_supported = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(CLIENT_LIMIT));
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(CLIENT_LIMIT);
    let routes = TowerToHyperService::new(routes);
    let service = service_fn(|request| {
        let (answering, answer) = (place.answer(), routes.call(request));
        async move {
            let response = answer.await;
            drop(answering);
            response
        }
    });
    // A client that goes away or is too slow is no event.
    let _ended = builder.serve_connection(TokioIo::new(Box::pin(stream)), service).await;
}

/// A connection in the counters of admin, until dropped.
struct Counted<'a> {
    control: &'a Control,
    opened: Instant,
}

impl<'a> Counted<'a> {
    fn new(control: &'a Control) -> Self {
        let stats = &control.admin_stats;
        stats.listener.downstream_cx_total.inc();
        stats.listener.downstream_cx_active.inc();
        stats.http.downstream_cx_total.inc();
        stats.http.downstream_cx_active.inc();
        stats.http.downstream_cx_http1_total.inc();
        stats.http.downstream_cx_http1_active.inc();
        control.record(control.compiled.process_histograms.admin_accepted_per_socket_event, 1);
        Self { control, opened: Instant::now() }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        let stats = &self.control.admin_stats;
        stats.listener.downstream_cx_active.dec();
        stats.listener.downstream_cx_destroy.inc();
        stats.http.downstream_cx_active.dec();
        stats.http.downstream_cx_http1_active.dec();
        stats.http.downstream_cx_destroy.inc();
        let ids = &self.control.compiled.process_histograms;
        self.control.record(ids.admin_cx_length_ms, elapsed_ms(self.opened));
        self.control.record(ids.admin_listener_cx_length_ms, elapsed_ms(self.opened));
    }
}

async fn count_request(
    State(control): State<Arc<Control>>,
    request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    let stats = &control.admin_stats;
    stats.http.downstream_rq_total.inc();
    stats.http.downstream_rq_http1_total.inc();
    stats.http.downstream_rq_active.inc();
    let response = next.run(request).await;
    stats.http.downstream_rq_active.dec();
    stats.responses.count(response.status().as_u16());
    control.record(control.compiled.process_histograms.admin_rq_time, elapsed_ms(begun));
    response
}

fn elapsed_ms(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
