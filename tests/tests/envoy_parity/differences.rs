//! Where ringmain is meant to differ from Envoy, and why. Each entry is proven: both sides must do
//! exactly what it says.

mod connections;
mod files;
mod http2;
mod messages;
mod streams;

use ringmain_tests::client::Client;
use ringmain_tests::h2_frame::{END_STREAM, code, headers, reset};
use ringmain_tests::h2_upstream::{H2Upstream, HTTP2};
use ringmain_tests::parity::{Case, Observation, case, observe};
use ringmain_tests::proxy::{Program, Proxy, run_ringmain};
use ringmain_tests::template::{Values, fill, front_proxy, indented};
use ringmain_tests::upstream::{Act, Upstream, ok, reply};
use ringmain_tests::wait::eventually;
use ringmain_tests::workspace;

use crate::GET;
use crate::network_filters;

/// One intended difference. The case's name is its id.
struct Difference {
    reason: &'static str,
    case: Case,
    envoy: Outcome,
    ringmain: Outcome,
}

/// What the client and the upstream receive, normalised.
struct Outcome {
    client: String,
    upstream: String,
}

const CONNECTION_1: &str = "-- connection 1\n";
const CONNECTION_2: &str = "-- connection 2\n";

/// What the proxies add to each request.
const ADDED: &str = "\
x-forwarded-proto: http
x-request-id: <uuid>
x-envoy-expected-rq-timeout-ms: 15000
";

/// What the proxies add to each response.
const ANSWERED: &str = "\
x-envoy-upstream-service-time: <ms>
date: <date>
server: envoy
";

/// A plain 200 of the upstream's.
fn plain_answer() -> String {
    format!("HTTP/1.1 200 OK\ncontent-length: 2\n{ANSWERED}  body by length: \"ok\"\n")
}

/// The plainest request, with a header of the client's or without.
fn plain_get(line: &str) -> String {
    format!("GET / HTTP/1.1\nhost: a.example\n{line}{ADDED}")
}

/// A reply by the proxy itself.
fn local_reply(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\ncontent-length: {}\ncontent-type: text/plain\ndate: <date>\nserver: envoy\n  \
         body by length: \"{body}\"\n",
        body.len()
    )
}

/// A local reply that ends the connection.
fn refusal(status: &str, body: &str) -> Outcome {
    let client =
        local_reply(status, body).replace("server: envoy\n", "server: envoy\nconnection: close\n");
    Outcome { client: client + "[closed]\n", upstream: String::new() }
}

/// How both answer what their codecs refuse.
fn bad_request() -> Outcome {
    refusal("400 Bad Request", "Bad Request")
}

/// A plain answer, with this request at the upstream.
fn forwarded(request: &str) -> Outcome {
    Outcome { client: plain_answer(), upstream: format!("{CONNECTION_1}{request}") }
}

/// The list.
fn differences() -> Vec<Difference> {
    let mut list = messages::differences();
    list.extend(connections());
    list
}

/// Connections that end, or fill, at an awkward moment.
fn connections() -> Vec<Difference> {
    vec![
        pipelined_behind_local_reply(),
        replay_on_reused_connection(),
        source_address_that_is_not_here(),
    ]
}

fn source_address_that_is_not_here() -> Difference {
    let client = local_reply(
        "503 Service Unavailable",
        "upstream connect error or disconnect/reset before headers. reset reason: local connection \
         failure",
    );
    Difference {
        reason: "a connection that cannot come from where it is to come from is not opened; Envoy opens one from any \
                 address and closes it",
        case: case("source_address_that_is_not_here")
            .cluster(
                "upstream_bind_config: { source_address: { address: 203.0.113.7, port_value: 0 } }",
            )
            .ask(GET),
        envoy: Outcome { client: client.clone(), upstream: CONNECTION_1.to_owned() },
        ringmain: Outcome { client, upstream: String::new() },
    }
}

fn pipelined_behind_local_reply() -> Difference {
    let local =
        "HTTP/1.1 200 OK\ndate: <date>\nserver: envoy\ncontent-length: 0\n  body by length: \"\"\n";
    let get = plain_get("");
    Difference {
        reason: "requests that wait behind a local reply are answered in turn; Envoy takes them for a flood and closes",
        case: case("pipelined_behind_local_reply")
            .routes(
                "- match: { path: /direct }\n  direct_response: { status: 200 }\n\
                 - match: { prefix: / }\n  route: { cluster: '{{cluster}}' }",
            )
            .send(format!("{GET}{}{GET}", GET.replace("GET / ", "GET /direct ")))
            .read()
            .read()
            .read(),
        envoy: Outcome {
            client: format!("{}{local}[closed]\n", plain_answer()),
            ..forwarded(&get)
        },
        ringmain: Outcome {
            client: format!("{0}{local}{0}", plain_answer()),
            ..forwarded(&format!("{get}{get}"))
        },
    }
}

fn replay_on_reused_connection() -> Difference {
    let terminated = "upstream connect error or disconnect/reset before headers. reset reason: connection termination";
    let get = plain_get("");
    let once = format!("{CONNECTION_1}{get}{get}");
    Difference {
        reason: "a request that dies on a reused connection before any answer most likely met the upstream's idle \
                 timeout, and an idempotent one may be sent again (RFC 9110 §9.2.2); Envoy answers 503",
        case: case("replay_on_reused_connection")
            .upstream(ok())
            .upstream(vec![Act::ReadBody, Act::Close])
            .upstream(ok())
            .ask(GET)
            .ask(GET),
        envoy: Outcome {
            client: plain_answer() + &local_reply("503 Service Unavailable", terminated),
            upstream: once.clone(),
        },
        ringmain: Outcome {
            client: plain_answer() + &plain_answer(),
            upstream: format!("{once}{CONNECTION_2}{get}"),
        },
    }
}

#[test]
fn each_side_does_what_the_list_says() {
    let list = differences();
    let cases: Vec<Case> = list.iter().map(|difference| difference.case.clone()).collect();
    let mut failures =
        check(&list, &observe(Program::Envoy, &cases, &[]), "envoy", |entry| &entry.envoy);
    if std::env::var_os("PARITY_SHOW").is_none() {
        for program in Program::ringmains() {
            let observed = observe(program, &cases, &[]);
            failures += &check(&list, &observed, &program.to_string(), |entry| &entry.ringmain);
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

fn check(
    list: &[Difference],
    observed: &[Observation],
    side: &str,
    outcome: impl Fn(&Difference) -> &Outcome,
) -> String {
    let mut failures = String::new();
    for (difference, observed) in list.iter().zip(observed) {
        let expected = outcome(difference);
        if observed.client != expected.client || observed.upstream != expected.upstream {
            failures += &format!(
                "=== {} ({}) through {side}\nclient:\n{}upstream:\n{}",
                difference.case.name(),
                difference.reason,
                observed.client,
                observed.upstream
            );
        }
    }
    failures
}

/// A configuration whose one route has the path template `template`.
fn with_template(template: &str) -> String {
    let route = format!(
        "- match:\n    path_match_policy:\n      name: t\n      typed_config:\n        '@type': \
         type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig\n        \
         path_template: '{template}'\n  direct_response: {{ status: 204 }}"
    );
    let everything = "              - match: { prefix: / }\n                route:\n                  \
                      cluster: backend\n";
    let config = front_proxy("", "", "");
    assert!(config.contains(everything), "the route is replaced");
    config.replace(everything, &indented(&route, 14))
}

/// Envoy's templates become regexes by joining pieces. A `*` among a segment's letters goes in unescaped
/// and so repeats the letter before it, which nobody who writes one can mean: Envoy's own description of
/// templates has `*` for whole segments only. ringmain refuses the file and names the place.
#[test]
fn a_star_within_a_segment_of_a_template_is_refused() {
    let config = with_template("/a*b");
    let values = Values::from([("upstream".to_owned(), "1".to_owned())]);
    let envoy = Proxy::start(Program::Envoy, &config, &values);
    for (path, status) in
        [("/b", 204), ("/ab", 204), ("/aaab", 204), ("/a*b", 404), ("/axb", 404), ("/a", 404)]
    {
        let mut client = Client::connect(envoy.port("listener"));
        client.send(format!("GET {path} HTTP/1.1\r\nhost: a.example\r\n\r\n"));
        let answer = client.read_response().expect("an answer");
        assert!(
            answer.start_line().contains(&status.to_string()),
            "{path}: {}",
            answer.start_line()
        );
    }
    let places = ["admin", "listener", "upstream"].map(|place| (place.to_owned(), "1".to_owned()));
    let path = workspace::scratch("template").join("proxy.yaml");
    std::fs::write(&path, fill(&config, &Values::from(places))).expect("scratch is writable");
    let refused = run_ringmain(&["--mode", "validate", "-c", path.to_str().expect("UTF-8")]);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr);
    let line = config.lines().position(|line| line.contains("/a*b"));
    let place = format!("proxy.yaml:{}:", line.expect("it is there") + 1);
    assert!(said.contains(&place) && said.contains("'*'"), "{said}");
}

/// A host that refuses a stream has not looked at the request (RFC 9113 §8.7): it is sent again where no
/// retry policy decides. Envoy answers 503.
#[test]
fn a_refused_stream_is_sent_again_without_a_policy() {
    let status = |program| {
        let upstream = H2Upstream::start(|peer, request| match request.number {
            0 => peer.send(reset(request.stream, code::REFUSED_STREAM)),
            _ => peer.send(headers(request.stream, &[(":status", "204")], END_STREAM)),
        });
        let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
        let proxy = Proxy::start(program, &front_proxy("", "", HTTP2), &values);
        let mut client = Client::connect(proxy.port("listener"));
        client.send(GET);
        client.read_response().expect("an answer").status()
    };
    assert_eq!(status(Program::Envoy), Some(503));
    for program in Program::ringmains() {
        assert_eq!(status(program), Some(204), "{program}");
    }
}

/// Policies refuse a connection as soon as its addresses and its TLS are known. Envoy waits for the first
/// byte, has long connected to the upstream by then, and shows the client what the upstream says first.
#[test]
fn a_refused_client_reaches_no_upstream() {
    let tcp = "tcp_proxy.v3.TcpProxy, stat_prefix: tcp, cluster: up";
    let clusters = network_filters::cluster("up");
    let config = network_filters::config(&[network_filters::NOBODY, tcp], &clusters)
        .replace(network_filters::INSPECTOR, "");
    let (values, upstream) = network_filters::upstream();
    let envoy = Proxy::start(Program::Envoy, &config, &values);
    let _silent = Client::connect(envoy.port("listener"));
    upstream.wait_for_connections(1);
    for program in Program::ringmains() {
        let (values, upstream) = network_filters::upstream();
        let proxy = Proxy::start(program, &config, &values);
        let (bytes, _) = Client::connect(proxy.port("listener")).read_to_end();
        assert!(bytes.is_empty() && upstream.connections().is_empty(), "{program}");
    }
}

/// With two hosts and the default of 10 percent Envoy ejects nobody: a bad host gets half of all
/// requests for ever. Here it goes as long as another healthy one is left; `always_eject_one_host:
/// false` is Envoy's way.
#[test]
fn a_bad_host_of_a_small_cluster_is_ejected_while_another_is_left() {
    let bad = Upstream::start(vec![reply("HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n")]);
    let good = Upstream::start(vec![ok()]);
    let values: Values = [("bad", &bad), ("good", &good)]
        .map(|(name, upstream)| (name.to_owned(), upstream.address().port().to_string()))
        .into();
    let ejected = |program: Program, fields: &str| {
        let text = front_proxy(
            "",
            "",
            &format!("outlier_detection: {{ interval: 60s, consecutive_5xx: 2, {fields} }}"),
        );
        let line = text.lines().find(|line| line.contains("{{upstream}}")).expect("an endpoint");
        let both = ["bad", "good"].map(|name| line.replace("upstream", name)).join("\n");
        let proxy = Proxy::start(program, &text.replace(line, &both), &values);
        for _ in 0..8 {
            let mut client = Client::connect(proxy.port("listener"));
            client.send(GET);
            client.read_response().expect("a response");
        }
        let stat = |leaf: &str| {
            proxy.admin().stat(&format!("cluster.backend.outlier_detection.ejections_{leaf}"))
        };
        eventually("a verdict", || (stat("active") + stat("overflow") > 0).then_some(()));
        stat("active")
    };
    assert_eq!(ejected(Program::Envoy, ""), 0);
    for program in Program::ringmains() {
        assert_eq!(ejected(program, ""), 1, "{program}");
        assert_eq!(ejected(program, "always_eject_one_host: false"), 0, "{program}");
    }
}

/// A client that has been idle for too long is told nothing and sent away: nothing is under way that could
/// be cut. Envoy waits for `drain_timeout` and answers what comes meanwhile.
#[test]
fn an_idle_connection_ends_at_once() {
    let hcm = "common_http_protocol_options: { idle_timeout: 0.2s }\ndrain_timeout: 3600s";
    let upstream = Upstream::start(vec![ok()]);
    let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
    let idle = |program| {
        let proxy = Proxy::start(program, &front_proxy(hcm, "", ""), &values);
        let mut client = Client::connect(proxy.port("listener"));
        client.send(GET);
        client.read_response().expect("an answer");
        proxy.admin().wait_for_stat("http.ingress.downstream_cx_idle_timeout", 1);
        (proxy, client)
    };
    let (_envoy, mut client) = idle(Program::Envoy);
    client.send(GET);
    assert_eq!(client.read_response().expect("an answer").status(), Some(200));
    for program in Program::ringmains() {
        let (_proxy, mut client) = idle(program);
        assert!(client.read_to_end().0.is_empty(), "{program}");
    }
}

/// A client whose response broke off has nothing more to read. Envoy holds its connection for
/// `delayed_close_timeout`.
#[test]
fn a_response_that_breaks_off_ends_the_connection_at_once() {
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc".to_vec();
    let upstream = Upstream::start(vec![vec![Act::ReadBody, Act::Send(cut), Act::Close]]);
    let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
    let hcm = "delayed_close_timeout: 0.1s";
    let cut_off = |program| {
        let proxy = Proxy::start(program, &front_proxy(hcm, "", ""), &values);
        let mut client = Client::connect(proxy.port("listener"));
        client.send(GET);
        let (bytes, _) = client.read_to_end();
        assert!(bytes.ends_with(b"abc"), "{program}");
        proxy
    };
    let stat = "http.ingress.downstream_cx_delayed_close_timeout";
    cut_off(Program::Envoy).admin().wait_for_stat(stat, 1);
    for program in Program::ringmains() {
        assert_eq!(cut_off(program).admin().stat(stat), 0, "{program}");
    }
}

/// Attempts that race each need all of the body, so the first begins when it is here. Envoy begins with
/// the head.
#[test]
fn a_hedged_request_waits_for_its_body() {
    let hedged = "hedge_policy: { hedge_on_per_try_timeout: true }\n\
                  retry_policy: { retry_on: 5xx, per_try_timeout: 5s }";
    let config = front_proxy("", hedged, "");
    let upload = |program| {
        let upstream = Upstream::start(vec![ok()]);
        let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
        let proxy = Proxy::start(program, &config, &values);
        let mut client = Client::connect(proxy.port("listener"));
        client.send("POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 6\r\n\r\nabc");
        proxy.admin().wait_for_stat("http.ingress.downstream_rq_active", 1);
        (upstream, proxy, client)
    };
    let (upstream, _envoy, _client) = upload(Program::Envoy);
    upstream.wait_for_requests(1);
    for program in Program::ringmains() {
        let (upstream, _proxy, mut client) = upload(program);
        assert!(upstream.connections().is_empty(), "{program}");
        client.send("def");
        assert_eq!(client.read_response().expect("an answer").status(), Some(200), "{program}");
    }
}
