//! A control thread that is held up by something slow, or a log that nobody takes: requests go on.

use std::fs;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use ringmain_tests::client::Client;
use ringmain_tests::load::Load;
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy};
use ringmain_tests::tls::{Authority, Subject};
use ringmain_tests::upstream::{Upstream, ok};
use ringmain_tests::wait::eventually;

/// How many must be answered while the control thread stands still.
const REQUESTS: usize = 500;
/// How long admin is silent until it counts as held up: its thread looks at certificates once a second.
const SILENCE: Duration = Duration::from_millis(400);

/// A listener of TLS beside the plain one, for its certificate.
const TLS: &str = r#"  - name: secure
    address: { socket_address: { address: 127.0.0.1, port_value: {{listener_tls}} } }
    filter_chains:
    - transport_socket:
        name: tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            tls_certificates:
            - certificate_chain: { filename: '{{certificates}}/server.crt' }
              private_key: { filename: '{{certificates}}/server.key' }
      filters:
      - name: echo
        typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo }
"#;

/// A named pipe in the place of `path`, open at both ends, so that opening it waits for nobody.
fn pipe(path: &Path) -> OwnedFd {
    let _was_there = fs::remove_file(path);
    make_pipe(path);
    fs::OpenOptions::new().read(true).write(true).open(path).expect("a pipe").into()
}

fn make_pipe(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().expect("mkfifo runs");
    assert!(made.success());
}

/// Whether admin leaves a question unanswered for a while.
fn is_silent(admin: &TcpStream) -> bool {
    use std::io::{Read, Write};
    let mut admin = admin;
    admin.write_all(b"GET /ready HTTP/1.1\r\nhost: admin\r\n\r\n").expect("connected");
    // What comes does not matter.
    let read = admin.read(&mut [0; 4096]).map(drop);
    read.is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
}

#[test]
fn requests_are_answered_while_the_control_thread_waits_for_a_disk() {
    for program in Program::ringmains() {
        let authority = Authority::new();
        let dns = vec!["server.example"];
        authority.issue("server", &Subject { name: "server", dns, ..Subject::default() });
        let upstream = Upstream::start(vec![ok()]);
        let values = Values::from([
            ("upstream".into(), upstream.address().port().to_string()),
            ("certificates".into(), authority.folder().display().to_string()),
        ]);
        let config =
            front_proxy("", "", "").replace("  clusters:\n", &format!("{TLS}  clusters:\n"));
        let proxy = Proxy::start(program, &config, &values);
        let load = Load::start(proxy.port("listener"), 2);
        load.wait_for(REQUESTS);
        let certificate = authority.folder().join("server.crt");
        let good = fs::read(&certificate).expect("a certificate");
        // Who reads the certificate anew now waits for somebody who writes it.
        let fifo = authority.folder().join("fifo");
        make_pipe(&fifo);
        fs::rename(&fifo, &certificate).expect("the same folder");
        let admin = TcpStream::connect(("127.0.0.1", proxy.admin().port())).expect("admin listens");
        admin.set_read_timeout(Some(SILENCE)).expect("SO_RCVTIMEO");
        eventually("admin to be held up", || is_silent(&admin).then_some(()));
        load.wait_for(REQUESTS);
        // New connections are served too.
        let fresh = Load::start(proxy.port("listener"), 2);
        fresh.wait_for(REQUESTS);
        assert!(is_silent(&admin), "{program}: it was held up all the time");
        fs::write(&certificate, good).expect("somebody reads");
        proxy.admin().wait_for_stat("listener_manager.total_listeners_active", 2);
        fresh.finish();
        load.finish();
    }
}

#[test]
fn requests_are_answered_while_nobody_takes_the_log() {
    let logged = r#"
        access_log:
        - name: file
          typed_config:
            "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
            path: "{{log}}"
        "#;
    for program in Program::ringmains() {
        let upstream = Upstream::start(vec![ok()]);
        let path = ringmain_tests::workspace::scratch("log").join("pipe");
        let _taken_by_nobody = pipe(&path);
        let values = Values::from([
            ("upstream".into(), upstream.address().port().to_string()),
            ("log".into(), path.display().to_string()),
        ]);
        let proxy = Proxy::start(program, &front_proxy(logged, "", ""), &values);
        let long = "x".repeat(8192);
        let mut client = Client::connect(proxy.port("listener"));
        let mut ask = || {
            client.send(format!("GET / HTTP/1.1\r\nhost: a\r\nuser-agent: {long}\r\n\r\n"));
            client.read_response().expect("an answer").status()
        };
        eventually("lines to be dropped", || {
            assert_eq!(ask(), Some(200), "{program}");
            (proxy.admin().stat("server.access_log_bytes_dropped") > 0).then_some(())
        });
        assert!((0..REQUESTS).all(|_| ask() == Some(200)), "{program}");
    }
}
