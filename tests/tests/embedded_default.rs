//! `ringmain` without arguments: a demo that answers on its fixed ports.

use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;

use ringmain_tests::client::Client;
use ringmain_tests::process::{Process, Signal};
use ringmain_tests::proxy;
use ringmain_tests::wait::eventually;
use ringmain_tests::workspace;

/// The demo's listener, admin interface and two upstreams.
const PORTS: [u16; 4] = [10_000, 9_901, 10_001, 10_002];

#[test]
fn it_serves_what_it_prints() {
    if let Some(taken) =
        PORTS.into_iter().find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_err())
    {
        eprintln!("skipping the embedded demo: port {taken} is in use on this machine");
        return;
    }
    let scratch = workspace::scratch("demo");
    let mut process = Process::spawn("ringmain", &mut Command::new(proxy::ringmain()), &scratch);
    let greeting = eventually("the demo to start", || {
        assert!(process.exit_status().is_none(), "it ended: {}", process.stderr());
        let said = process.stdout();
        said.contains("curl").then_some(said)
    });
    let curls = greeting.lines().filter(|line| line.trim_start().starts_with("curl ")).count();
    assert_eq!(curls, 3, "three things to try:\n{greeting}");
    eventually("the demo to be ready", || {
        std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, 9_901)).ok()?;
        (ask(9_901, "/ready").1 == "LIVE\n").then_some(())
    });
    assert_eq!(ask(10_000, "/x"), (Some(200), "hello from blue: /x\n".into()));
    assert_eq!(ask(10_000, "/green/x"), (Some(200), "hello from green: /x\n".into()));
    assert_eq!(ask(9_901, "/stats").0, Some(200));
    process.signal(Signal::TERM);
    assert_eq!(process.wait_exit().code(), Some(0));
}

fn ask(port: u16, path: &str) -> (Option<u16>, String) {
    let mut client = Client::connect(port);
    client.send(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n"));
    let response = client.read_response().expect("an answer");
    (response.status(), response.text())
}
