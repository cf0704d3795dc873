//! Leaving HTTP: upgrades and CONNECT, allowed, refused, answered otherwise, and how they end.

use ringmain_tests::client::Step;
use ringmain_tests::parity::{Case, case, compare};
use ringmain_tests::upstream::{Act, reply};

const WEBSOCKET: &str = "GET /chat HTTP/1.1\r\nhost: a.example\r\nconnection: Upgrade\r\n\
    upgrade: websocket\r\nsec-websocket-key: k\r\n\r\n";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\n\
    upgrade: websocket\r\nx-up: 1\r\n\r\n";
const ON: &str = "upgrade_configs: [{ upgrade_type: websocket }]";

/// The upstream sends `head`, then does `acts`.
fn answering(head: &str, acts: &[Act]) -> Vec<Act> {
    [&[Act::Send(head.as_bytes().to_vec())], acts].concat()
}

/// A client that asks for WebSocket and gets a head.
fn asking(name: &'static str) -> Case {
    case(name).hcm(ON).send(WEBSOCKET).step(Step::ReadHead)
}

#[test]
fn websocket() {
    compare(vec![
        asking("echo")
            .upstream(answering(SWITCH, &[Act::Echo]))
            .send("hello")
            .step(Step::ReadBytes(5))
            .send("world")
            .step(Step::ReadBytes(5))
            .shows("HTTP/1.1 101 Switching Protocols")
            .shows("downstream_cx_upgrades_total: 1"),
        case("early_data")
            .hcm(ON)
            .upstream(answering(SWITCH, &[Act::Echo]))
            .send(format!("{WEBSOCKET}early"))
            .step(Step::ReadHead)
            .step(Step::ReadBytes(5))
            .shows("early"),
        case("what_belongs_to_a_connection")
            .hcm(ON)
            .upstream(answering(SWITCH, &[Act::Echo]))
            .send(WEBSOCKET.replace(
                "sec-",
                "keep-alive: 5\r\nproxy-connection: keep-alive\r\nte: gzip\r\nsec-",
            ))
            .step(Step::ReadHead),
        asking("data_with_the_switch")
            .upstream(answering(&format!("{SWITCH}hi"), &[Act::Echo]))
            .step(Step::ReadBytes(2)),
        asking("client_half_closes")
            .upstream(answering(SWITCH, &[Act::Echo]))
            .send("abc")
            .step(Step::ReadBytes(3))
            .step(Step::HalfClose)
            .step(Step::ReadToEnd)
            .shows("downstream_remote_disconnect"),
        asking("upstream_half_closes")
            .upstream(answering(&format!("{SWITCH}bye"), &[Act::HalfClose]))
            .step(Step::ReadBytes(3))
            .step(Step::ReadToEnd)
            .shows("upstream_reset_after_response_started{connection_termination}"),
        asking("upstream_closes")
            .upstream(answering(&format!("{SWITCH}bye"), &[Act::Close]))
            .step(Step::ReadBytes(3))
            .step(Step::ReadToEnd),
        asking("idle")
            .hcm("upgrade_configs: [{ upgrade_type: websocket }]\nstream_idle_timeout: 0.6s")
            .upstream(answering(SWITCH, &[Act::Echo]))
            .step(Step::ReadToEnd)
            .shows("101 SI"),
        asking("route_timeout_is_over")
            .routes("- match: { prefix: / }\n  route: { cluster: '{{cluster}}', timeout: 0.2s }")
            .upstream(answering(SWITCH, &[Act::OfferClose, Act::Send(b"late".to_vec()), Act::Echo]))
            .step(Step::ReadBytes(4))
            .shows("late"),
        asking("with_content_length_and_a_folded_connection")
            .upstream(answering(
                "HTTP/1.1 101 S\r\nconnection: Upgrade\r\nupgrade: websocket\r\nconnection: x\r\n\r\n",
                &[Act::Echo],
            ))
            .shows("connection: Upgrade,x"),
    ]);
}

#[test]
fn handshakes_that_fail() {
    let route = |fields: &str| {
        format!("- match: {{ prefix: / }}\n  route: {{ cluster: '{{{{cluster}}}}', {fields} }}")
    };
    compare(vec![
        case("not_found")
            .hcm(ON)
            .upstream(reply("HTTP/1.1 404 N\r\ncontent-length: 3\r\n\r\nabc"))
            .ask(WEBSOCKET)
            .shows("\"abc\""),
        case("chunked_refusal")
            .hcm(ON)
            .upstream(reply(
                "HTTP/1.1 403 F\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            ))
            .ask(WEBSOCKET)
            .shows("\"abc\""),
        case("plain_ok")
            .hcm(ON)
            .upstream(reply("HTTP/1.1 200 OK\r\nx-up: 1\r\ncontent-length: 3\r\n\r\nabc"))
            .ask(WEBSOCKET)
            .shows("websocket_handshake_unsuccessful"),
        case("redirect")
            .hcm(ON)
            .upstream(reply("HTTP/1.1 302 Found\r\nlocation: /in\r\ncontent-length: 0\r\n\r\n"))
            .ask(WEBSOCKET)
            .shows("location: /in"),
        case("another_protocol_may_be_passed_over")
            .hcm("upgrade_configs: [{ upgrade_type: foo }]")
            .upstream(reply("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc"))
            .ask(WEBSOCKET.replace("websocket\r\n", "foo\r\n"))
            .shows("\"abc\""),
        case("timeout")
            .hcm(ON)
            .routes(&route("timeout: 0.2s"))
            .upstream(vec![Act::Stall])
            .ask(WEBSOCKET)
            .shows("HTTP/1.1 504"),
        case("idle_before")
            .hcm("upgrade_configs: [{ upgrade_type: websocket }]\nstream_idle_timeout: 0.2s")
            .upstream(vec![Act::Stall])
            .ask(WEBSOCKET)
            .shows("HTTP/1.1 408"),
        case("closed_before").hcm(ON).upstream(vec![Act::Close]).ask(WEBSOCKET).shows("503 UC"),
        case("retried")
            .hcm(ON)
            .routes(&route("retry_policy: { retry_on: 5xx }"))
            .upstream(reply("HTTP/1.1 503 S\r\ncontent-length: 0\r\n\r\n"))
            .upstream(answering(SWITCH, &[Act::Echo]))
            .send(WEBSOCKET)
            .step(Step::ReadHead)
            .send("abc")
            .step(Step::ReadBytes(3))
            .shows("upstream_rq_retry_success: 1"),
    ]);
}

#[test]
fn permission() {
    let on_route = |enabled: bool| {
        format!(
            "- match: {{ prefix: / }}\n  route: {{ cluster: '{{{{cluster}}}}', \
             upgrade_configs: [{{ upgrade_type: websocket, enabled: {enabled} }}] }}"
        )
    };
    let disabled = "upgrade_configs: [{ upgrade_type: websocket, enabled: false }]";
    let direct =
        "- match: { prefix: / }\n  direct_response: { status: 200, body: { inline_string: hi } }";
    let switching = |case: Case| case.upstream(answering(SWITCH, &[Act::Echo])).send(WEBSOCKET);
    compare(vec![
        switching(case("route_on").routes(&on_route(true)))
            .step(Step::ReadHead)
            .shows("HTTP/1.1 101"),
        case("route_off").hcm(ON).routes(&on_route(false)).ask(WEBSOCKET).shows("HTTP/1.1 403"),
        switching(case("route_wins").hcm(disabled).routes(&on_route(true)))
            .step(Step::ReadHead)
            .shows("HTTP/1.1 101"),
        case("manager_off").hcm(disabled).ask(WEBSOCKET).shows("HTTP/1.1 403"),
        switching(case("any_case").hcm("upgrade_configs: [{ upgrade_type: WebSocket }]"))
            .step(Step::ReadHead)
            .shows("HTTP/1.1 101"),
        case("another_protocol")
            .hcm(ON)
            .ask(WEBSOCKET.replace("websocket\r\n", "foo\r\n"))
            .shows("HTTP/1.1 403"),
        case("two_protocols")
            .hcm(ON)
            .ask(WEBSOCKET.replace("websocket\r\n", "websocket, foo\r\n"))
            .shows("HTTP/1.1 403"),
        case("direct_response").hcm(ON).routes(direct).ask(WEBSOCKET).shows("HTTP/1.1 200"),
        case("no_route")
            .hcm(ON)
            .routes("- match: { prefix: /none }\n  route: { cluster: '{{cluster}}' }")
            .ask(WEBSOCKET)
            .shows("HTTP/1.1 404"),
        case("no_route_and_off")
            .routes("- match: { prefix: /none }\n  route: { cluster: '{{cluster}}' }")
            .ask(WEBSOCKET)
            .shows("HTTP/1.1 404"),
    ]);
}

const CONNECT: &str = "CONNECT b.example:443 HTTP/1.1\r\nhost: b.example:443\r\nx-a: 1\r\n\r\n";
const CONNECT_ON: &str = "upgrade_configs: [{ upgrade_type: CONNECT }]";

/// A case whose CONNECT requests take a route with `fields`.
fn connecting(name: &'static str, fields: &str) -> Case {
    case(name).hcm(CONNECT_ON).routes(&format!(
        "- match: {{ connect_matcher: {{}} }}\n  route: {{ cluster: '{{{{cluster}}}}', {fields} }}"
    ))
}

#[test]
fn connect_forwarded() {
    let open = "HTTP/1.1 200 OK\r\n\r\n";
    let timeout = "timeout: 0.2s";
    compare(vec![
        connecting("tunnel", "")
            .upstream(answering(open, &[Act::Echo]))
            .send(CONNECT)
            .step(Step::ReadHead)
            .send("hello")
            .step(Step::ReadBytes(5))
            .shows("CONNECT b.example:443 HTTP/1.1"),
        connecting("early", "")
            .upstream(answering(open, &[Act::Echo]))
            .send(format!("{CONNECT}early"))
            .step(Step::ReadHead)
            .step(Step::ReadBytes(5)),
        connecting("refused", "")
            .upstream(reply("HTTP/1.1 403 F\r\ncontent-length: 2\r\n\r\nno"))
            .ask(CONNECT)
            .shows("\"no\""),
        connecting("upstream_ends", "")
            .upstream(answering("HTTP/1.1 200 OK\r\n\r\nbye", &[Act::Close]))
            .send(CONNECT)
            .step(Step::ReadHead)
            .step(Step::ReadBytes(3))
            .step(Step::ReadToEnd)
            .shows("200 UC"),
        connecting("without_a_limit", timeout)
            .upstream(answering("", &[Act::OfferClose, Act::Send(open.into()), Act::Echo]))
            .send(CONNECT)
            .step(Step::ReadHead)
            .shows("HTTP/1.1 200"),
        case("switched_off")
            .routes("- match: { connect_matcher: {} }\n  route: { cluster: '{{cluster}}' }")
            .ask(CONNECT)
            .shows("HTTP/1.1 403"),
        case("no_matcher").hcm(CONNECT_ON).ask(CONNECT).shows("HTTP/1.1 404"),
    ]);
}

#[test]
fn connect_terminated() {
    let ends_here = "upgrade_configs: [{ upgrade_type: CONNECT, connect_config: {} }]";
    let inner = "GET /inner HTTP/1.1\r\nhost: c.example\r\n\r\n";
    compare(vec![
        connecting("request_inside", ends_here).send(CONNECT).step(Step::ReadHead).ask(inner).shows("GET /inner HTTP/1.1"),
        connecting("early_request_inside", ends_here)
            .send(format!("{CONNECT}{inner}"))
            .step(Step::ReadHead)
            .read()
            .shows("GET /inner HTTP/1.1"),
        case("by_the_route_alone")
            .routes(&format!(
                "- match: {{ connect_matcher: {{}} }}\n  route: {{ cluster: '{{{{cluster}}}}', {ends_here} }}"
            ))
            .send(CONNECT)
            .step(Step::ReadHead)
            .shows("HTTP/1.1 200"),
        connecting("client_half_closes", ends_here)
            .send(CONNECT)
            .step(Step::ReadHead)
            .ask(inner)
            .step(Step::HalfClose)
            .step(Step::ReadToEnd)
            .shows("200 DC"),
        connecting("upstream_half_closes", ends_here)
            .upstream(vec![Act::ReadBody, Act::Send(b"bye".to_vec()), Act::HalfClose])
            .send(CONNECT)
            .step(Step::ReadHead)
            .send(inner)
            .step(Step::ReadBytes(3))
            .step(Step::ReadToEnd)
            .shows("200 - "),
        connecting("idle", ends_here)
            .hcm("upgrade_configs: [{ upgrade_type: CONNECT }]\nstream_idle_timeout: 0.6s")
            .send(CONNECT)
            .step(Step::ReadHead)
            .step(Step::ReadToEnd)
            .shows("200 SI"),
        case("nobody_listens")
            .hcm(CONNECT_ON)
            .routes(&format!(
                "- match: {{ connect_matcher: {{}} }}\n  route: {{ cluster: '{{{{refused}}}}', {ends_here} }}"
            ))
            .ask(CONNECT)
            .shows("HTTP/1.1 503"),
    ]);
}
