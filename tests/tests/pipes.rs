//! Unix sockets from start to end: admin on one, files that an earlier process has left, workers that
//! share one, and a drain.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use ringmain_tests::client::Client;
use ringmain_tests::process::{Process, Signal};
use ringmain_tests::proxy::{Engine, ringmain};
use ringmain_tests::wait::{PATIENCE, eventually, poll_for};
use ringmain_tests::workspace;

const CONFIG: &str = r#"
admin: { address: { pipe: { path: SCRATCH/admin.sock, mode: 384 } } }
static_resources:
  listeners:
  - name: in
    address: { pipe: { path: SCRATCH/in.sock } }
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: in
          http_filters: [{ name: router, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router } }]
          route_config: { virtual_hosts: [{ name: all, domains: ['*'], routes: [{ match: { prefix: / }, direct_response: { status: 200, body: { inline_string: served } } }] }] }
"#;

/// A proxy of two workers, whose sockets lie in a folder of their own.
struct PipeProxy {
    process: Process,
    scratch: PathBuf,
}

impl PipeProxy {
    fn start(engine: Engine, scratch: &Path) -> Self {
        let proxy = Self::spawn(engine, scratch);
        poll_for(PATIENCE, || proxy.is_ready().then_some(())).expect("it becomes ready");
        proxy
    }

    fn spawn(engine: Engine, scratch: &Path) -> Self {
        let config = scratch.join("proxy.yaml");
        let text = CONFIG.replace("SCRATCH", &scratch.display().to_string());
        fs::write(&config, text).expect("scratch is writable");
        let mut command = Command::new(ringmain());
        command.args(["--io-engine", engine.name(), "--concurrency", "2", "-c"]).arg(&config);
        let process = Process::spawn("ringmain", &mut command, scratch);
        Self { process, scratch: scratch.to_owned() }
    }

    fn path(&self, name: &str) -> String {
        self.scratch.join(name).display().to_string()
    }

    fn is_ready(&self) -> bool {
        let path = self.path("admin.sock");
        std::os::unix::net::UnixStream::connect(&path).is_ok()
            && get(&path, "/ready").is_some_and(|answer| answer == "LIVE\n")
    }
}

/// The body of the answer, if there is one.
fn get(path: &str, target: &str) -> Option<String> {
    let mut client = Client::connect_pipe(path, None);
    client.send(format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n"));
    client.read_response().ok().map(|answer| answer.text())
}

#[test]
fn a_path_is_served_by_all_workers_until_the_drain_and_by_the_next_process() {
    for engine in Engine::available() {
        let scratch = workspace::scratch("pipes");
        // What an earlier process has left behind makes way.
        drop(UnixListener::bind(scratch.join("in.sock")).expect("a short path"));
        for _ in 0..2 {
            let mut proxy = PipeProxy::start(engine, &scratch);
            let path = proxy.path("in.sock");
            for _ in 0..20 {
                assert_eq!(get(&path, "/").as_deref(), Some("served"), "{engine:?}");
            }
            eventually("the requests to be counted", || {
                let target = "/stats?filter=%5Ehttp%5C.in%5C.downstream_rq_2xx$";
                let counted = "http.in.downstream_rq_2xx: 20\n";
                (get(&proxy.path("admin.sock"), target)? == counted).then_some(())
            });
            proxy.process.signal(Signal::TERM);
            assert_eq!(proxy.process.wait_exit().code(), Some(0), "{engine:?}");
        }
    }
}

#[test]
fn a_second_process_leaves_the_first_ones_paths_alone() {
    let engine = Engine::available()[0];
    let scratch = workspace::scratch("second");
    let first = PipeProxy::start(engine, &scratch);
    let mut second = PipeProxy::spawn(engine, &scratch);
    assert!(!second.process.wait_exit().success());
    let told = second.process.stderr();
    assert!(told.contains("admin.sock") && told.contains("in use"), "{told}");
    assert!(first.is_ready());
    assert_eq!(get(&first.path("in.sock"), "/").as_deref(), Some("served"));
}
