//! TLS whose end is not announced (RFC 8446 §6.1): somebody on the way may have cut it. What a `tcp_proxy` passes on
//! does not look whole then to who speaks TLS too.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use ringmain_tests::client::Client;
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, indented, tcp_proxy};
use ringmain_tests::tls::{Authority, Handshake};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::rig::{SERVER, VERSIONS, authority, over_tls};

/// What a peer has got, and whether it looks whole.
type Heard = (String, &'static str);

fn heard(bytes: Vec<u8>, end: std::io::Result<usize>) -> Heard {
    let end = if end.is_ok() { "whole" } else { "cut" };
    (String::from_utf8_lossy(&bytes).into_owned(), end)
}

/// A server that hears somebody out, says `world` and ends, with a last word of TLS or without.
fn serve(authority: &Authority, tls: bool, says_so: bool) -> (u16, JoinHandle<Heard>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind on loopback");
    let port = listener.local_addr().expect("bound").port();
    let chain = vec![authority.certificate("server")];
    let builder = ServerConfig::builder().with_no_client_auth();
    let config = builder.with_single_cert(chain, authority.key("server")).expect("a pair");
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        if !tls {
            let heard = hear(&mut stream);
            stream.write_all(b"world").expect("open");
            return heard;
        }
        let connection = ServerConnection::new(Arc::new(config)).expect("a server");
        let mut session = StreamOwned::new(connection, stream);
        let heard = hear(&mut session);
        session.write_all(b"world").expect("open");
        if says_so {
            session.conn.send_close_notify();
        }
        session.flush().expect("open");
        session.sock.shutdown(Shutdown::Write).expect("open");
        heard
    });
    (port, server)
}

fn hear(stream: &mut impl Read) -> Heard {
    let mut bytes = Vec::new();
    let end = stream.read_to_end(&mut bytes);
    heard(bytes, end)
}

/// Who of client and host speaks TLS, and whether they announce their ends.
#[derive(Debug, Clone, Copy)]
struct Scene {
    client_tls: bool,
    host_tls: bool,
    say_so: bool,
}

/// What the host has heard, then what the client has.
fn play(program: Program, authority: &Authority, scene: Scene) -> [Heard; 2] {
    let Scene { client_tls, host_tls, say_so } = scene;
    let (upstream, server) = serve(authority, host_tls, say_so);
    let template = tcp_proxy("cluster: up", "%BYTES_RECEIVED%", &cluster(host_tls));
    let template = if client_tls { over_tls(&template, SERVER, "") } else { template };
    let values = Values::from([
        ("upstream".into(), upstream.to_string()),
        ("certificates".into(), authority.folder().display().to_string()),
    ]);
    let proxy = Proxy::start(program, &template, &values);
    let port = proxy.port("listener");
    let by_client = if client_tls {
        let mut client = Handshake::new(authority, "server.example", &VERSIONS).connect(port);
        client.send("hello").expect("open");
        client.half_close(say_so).expect("open");
        client.read_to_end().map_or_else(|_| "cut", |_| "whole")
    } else {
        let mut client = Client::connect(port);
        client.send("hello");
        client.half_close();
        client.read_to_end();
        "whole"
    };
    let by_host = server.join().expect("a client came");
    [by_host, ("world".to_owned(), by_client)]
}

fn cluster(tls: bool) -> String {
    let socket = "transport_socket:
  name: tls
  typed_config:
    \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
    sni: server.example
";
    format!(
        "  clusters:
  - name: up
    type: STATIC
    load_assignment:
      cluster_name: up
      endpoints: [{{ lb_endpoints: [{{ endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {{{{upstream}}}} }} }} }} }}] }}]
{}",
        if tls { indented(socket, 4) } else { String::new() }
    )
}

#[test]
fn an_end_that_is_not_announced_is_passed_on_unannounced() {
    let authority = authority();
    for [client_tls, host_tls] in [[true, true], [true, false], [false, true]] {
        for say_so in [true, false] {
            let scene = Scene { client_tls, host_tls, say_so };
            let told = |program| play(program, &authority, scene);
            let [by_host, by_client] =
                [("hello".to_owned(), "whole"), ("world".to_owned(), "whole")];
            assert_eq!(told(Program::Envoy), [by_host.clone(), by_client.clone()], "{scene:?}");
            let cut = if client_tls && host_tls && !say_so { "cut" } else { "whole" };
            for program in Program::ringmains() {
                let expected = [(by_host.0.clone(), cut), (by_client.0.clone(), cut)];
                assert_eq!(told(program), expected, "{scene:?} {program}");
            }
        }
    }
}
