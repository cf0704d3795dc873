//! Both directions at once, piece by piece, in every mix of versions of which one is HTTP/2: each piece
//! passes before the next is sent. Envoy does the same.

use ringmain_tests::client::Client;
use ringmain_tests::h2_client::{H2Client, POST};
use ringmain_tests::h2_frame::{END_STREAM, data, headers, kind};
use ringmain_tests::h2_upstream::{H2Upstream, HTTP2};
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy};
use ringmain_tests::upstream::{Act, Upstream};

const PIECES: [&str; 3] = ["one", "two and more", "three"];
const HTTP1_POST: &str = "POST / HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\n";
const HTTP1_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

fn programs() -> Vec<Program> {
    [Program::ringmains(), vec![Program::Envoy]].concat()
}

fn start(program: Program, cluster: &str, port: u16) -> Proxy {
    let values = Values::from([("upstream".into(), port.to_string())]);
    Proxy::start(program, &front_proxy("", "", cluster), &values)
}

/// An upstream of HTTP/2 that answers at once, with a body that is still to come.
fn answering() -> H2Upstream {
    H2Upstream::start(|peer, request| {
        if !request.ended {
            peer.send(headers(request.stream, &[(":status", "200")], 0));
        }
    })
}

/// The next piece of the first stream's body, and whether it is the last.
#[track_caller]
fn next_piece(client: &mut H2Client) -> (Vec<u8>, bool) {
    let frame = client.read_slowly_until(|it| it.kind == kind::DATA).expect("a piece");
    let ends = frame.ends_stream();
    (frame.payload, ends)
}

fn assert_over(proxy: &Proxy) {
    for gauge in ["http.ingress.downstream_rq_active", "cluster.backend.upstream_rq_active"] {
        proxy.admin().wait_for_stat(gauge, 0);
    }
}

#[test]
fn from_http2_to_http1() {
    for program in programs() {
        // It sends the chunks back as they come.
        let upstream = Upstream::start(vec![vec![Act::Send(HTTP1_HEAD.to_vec()), Act::Echo]]);
        let proxy = start(program, "", upstream.address().port());
        let mut client = H2Client::open(proxy.port("listener"));
        client.send(headers(1, &POST, 0));
        for piece in PIECES {
            client.send(data(1, piece, 0));
            assert_eq!(next_piece(&mut client), (piece.into(), false), "{program}");
        }
        client.send(data(1, "", END_STREAM));
        assert_eq!(next_piece(&mut client), (Vec::new(), true), "{program}");
        assert_over(&proxy);
    }
}

#[test]
fn from_http2_to_http2() {
    for program in programs() {
        let upstream = answering();
        let proxy = start(program, HTTP2, upstream.address().port());
        let mut client = H2Client::open(proxy.port("listener"));
        client.send(headers(1, &POST, 0));
        for (count, piece) in PIECES.iter().enumerate() {
            client.send(data(1, piece, 0));
            upstream.wait_for(kind::DATA, count + 1);
            upstream.send(data(1, piece, 0));
            assert_eq!(next_piece(&mut client), (piece.as_bytes().to_vec(), false), "{program}");
        }
        client.send(headers(1, &[("x-request", "ends")], END_STREAM));
        upstream.wait_for(kind::HEADERS, 2);
        upstream.send(headers(1, &[("x-response", "ends")], END_STREAM));
        let end = client.read_slowly_until(|it| it.kind == kind::HEADERS && it.ends_stream());
        assert!(end.is_some(), "{program}");
        assert_over(&proxy);
    }
}

#[test]
fn from_http1_to_http2() {
    for program in programs() {
        let upstream = answering();
        let proxy = start(program, HTTP2, upstream.address().port());
        let mut client = Client::connect(proxy.port("listener"));
        client.send(HTTP1_POST);
        assert_eq!(client.read_head().map(|head| head.status()), Ok(Some(200)), "{program}");
        for (count, piece) in PIECES.iter().enumerate() {
            let chunk = format!("{:x}\r\n{piece}\r\n", piece.len());
            client.send(&chunk);
            upstream.wait_for(kind::DATA, count + 1);
            upstream.send(data(1, piece, 0));
            assert_eq!(client.read_bytes(chunk.len()), chunk.as_bytes(), "{program}");
        }
        client.send("0\r\n\r\n");
        upstream.wait_for(kind::DATA, PIECES.len() + 1);
        upstream.send(data(1, "", END_STREAM));
        assert_eq!(client.read_bytes(5), b"0\r\n\r\n", "{program}");
        assert_over(&proxy);
    }
}
