//! Differences on connections of HTTP/2.

use std::thread;
use std::time::Duration;

use ringmain_tests::h2_client::{GET, H2Client};
use ringmain_tests::h2_frame::{END_STREAM, data, headers, kind, window_update};
use ringmain_tests::h2_upstream::{H2Upstream, HTTP2};
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy};

/// A client that takes a response slowly, but takes it, gets all of it: `stream_idle_timeout` counts from the
/// last of it that was sent. Envoy's counts from when the response had come.
#[test]
fn a_slow_reader_gets_its_response() {
    const BODY: &str = "thirty bytes, taken one by one";
    const PAUSE: Duration = Duration::from_millis(200);
    let take = |program| {
        let upstream = H2Upstream::start(|peer, _| {
            peer.send(headers(1, &[(":status", "200")], 0));
            peer.send(data(1, BODY, END_STREAM));
        });
        let values = Values::from([("upstream".into(), upstream.address().port().to_string())]);
        let config = front_proxy("stream_idle_timeout: 2s", "", HTTP2);
        let proxy = Proxy::start(program, &config, &values);
        let mut client = H2Client::open_with(proxy.port("listener"), &[(4, 1)]);
        client.request(1, &GET);
        let mut taken = Vec::new();
        loop {
            let frame = client.next_frame().expect("the connection stays");
            match frame.kind {
                kind::DATA => taken.extend(&frame.payload),
                kind::RST_STREAM => return Err(taken),
                _ => continue,
            }
            if frame.ends_stream() {
                return Ok(taken);
            }
            thread::sleep(PAUSE);
            client.send(window_update(1, 1));
        }
    };
    let programs = [Program::ringmains(), vec![Program::Envoy]].concat();
    thread::scope(|scope| {
        for program in programs {
            scope.spawn(move || {
                let taken = take(program);
                let expected = program != Program::Envoy;
                assert_eq!(taken == Ok(BODY.into()), expected, "{program}: {taken:?}");
            });
        }
    });
}
