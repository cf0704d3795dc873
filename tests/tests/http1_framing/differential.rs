//! The same bytes to ringmain, Envoy, nginx and HAProxy. With `DIFFERENTIAL=FILE` the cases of requests are not
//! checked; what each of the proxies makes of them is added to that file, a line of tab-separated columns for each
//! case on which the four do not agree, and one that counts the others. `docs/testing.md` says what came of it.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ringmain_tests::process::Process;
use ringmain_tests::proxy::Program;
use ringmain_tests::wait::eventually;
use ringmain_tests::{port, workspace};

use super::peer::Peer;
use super::requests::Case;
use super::rig::Rig;
use super::wire::text;

/// Who says nothing for so long waits for more.
const SILENCE: Duration = Duration::from_millis(300);
/// Longest column of bytes.
const SHOWN_BYTES: usize = 160;

/// The file that outcomes go to, if this run is for that.
pub fn file() -> Option<PathBuf> {
    std::env::var_os("DIFFERENTIAL").map(PathBuf::from)
}

/// Sends `cases` to each proxy and adds what comes of it to `file`.
pub fn record(cases: &[Case], file: &Path) {
    let sides = Side::all();
    let mut lines = String::new();
    let mut agreed = 0;
    for case in cases {
        let outcomes: Vec<String> = sides.iter().map(|side| side.outcome(&case.bytes)).collect();
        if outcomes.windows(2).all(|pair| pair[0] == pair[1]) {
            agreed += 1;
            continue;
        }
        let mut bytes = case.bytes.escape_ascii().to_string();
        bytes.truncate(SHOWN_BYTES);
        let _ = writeln!(lines, "{}\t{bytes}\t{}", case.rule(), outcomes.join("\t"));
    }
    let names: Vec<&str> = sides.iter().map(|side| side.name).collect();
    let _ = writeln!(lines, "# {agreed} of {} alike\t\t{}", cases.len(), names.join("\t"));
    let mut file = OpenOptions::new().create(true).append(true).open(file).expect("DIFFERENTIAL");
    file.write_all(lines.as_bytes()).expect("DIFFERENTIAL is written");
}

/// A proxy, alone before an upstream.
struct Side {
    name: &'static str,
    port: u16,
    upstream: Upstream,
}

/// What stands behind a proxy, and the proxy itself.
enum Upstream {
    OfRig(Rig),
    Own(Peer, #[expect(dead_code, reason = "ends when it is dropped")] Process),
}

impl Side {
    /// Those that this machine has.
    fn all() -> Vec<Self> {
        let ours = Program::ringmains()[0];
        let of_rig = |name, program| {
            let rig = Rig::start(program, "", "timeout: 0s");
            Self { name, port: rig.proxy.port("listener"), upstream: Upstream::OfRig(rig) }
        };
        let mut sides = vec![of_rig("ringmain", ours), of_rig("Envoy", Program::Envoy)];
        sides.extend(Self::installed("nginx", &["-c"], nginx_configuration));
        sides.extend(Self::installed("haproxy", &["-db", "-f"], haproxy_configuration));
        sides
    }

    fn installed(
        name: &'static str,
        arguments: &[&str],
        configuration: fn(&Path, u16, u16) -> String,
    ) -> Option<Self> {
        let scratch = workspace::scratch(&format!("differential-{name}"));
        let (listen, peer) = (port::free(), Peer::start_for_any_case());
        let path = scratch.join("configuration");
        fs::write(&path, configuration(&scratch, listen, peer.port()))
            .expect("scratch is writable");
        let mut command = Command::new(name);
        command.args(arguments).arg(&path);
        if let Err(error) = Command::new(name).arg("-v").output() {
            eprintln!("{name} is left out: {error}");
            return None;
        }
        let process = Process::spawn(name, &mut command, &scratch);
        eventually("a proxy to listen", || TcpStream::connect((Ipv4Addr::LOCALHOST, listen)).ok());
        Some(Self { name, port: listen, upstream: Upstream::Own(peer, process) })
    }

    /// What the client gets, and what the upstream reads.
    fn outcome(&self, bytes: &[u8]) -> String {
        let client = exchange(self.port, bytes).unwrap_or_else(|error| format!("{error}"));
        let peer = match &self.upstream {
            Upstream::OfRig(rig) => &rig.peer,
            Upstream::Own(peer, _) => peer,
        };
        let requests = peer.take_requests();
        let requests = requests.iter().map(|request| {
            let body = text(&request.body).escape_debug().to_string();
            format!("{} {} {body}", request.method, request.target).trim_end().to_owned()
        });
        let faults = peer
            .take_faults()
            .into_iter()
            .map(|fault| format!("AMBIGUOUS {}", fault.lines().next().unwrap_or_default()));
        let upstream: Vec<String> = requests.chain(faults).collect();
        format!("{client} > {}", if upstream.is_empty() { "-".into() } else { upstream.join(", ") })
    }
}

/// The statuses that come back, and whether the proxy closes.
fn exchange(port: u16, bytes: &[u8]) -> io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(SILENCE))?;
    // Who has refused the beginning takes no more.
    let _ = stream.write_all(bytes);
    let (mut received, mut buffer) = (Vec::new(), [0; 4096]);
    let end = loop {
        match stream.read(&mut buffer) {
            Ok(0) => break "closed",
            Ok(count) => received.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break "open",
            Err(_) => break "closed",
        }
    };
    let received = text(&received);
    let statuses =
        received.match_indices("HTTP/1.").filter_map(|(at, _)| received.get(at + 9..at + 12));
    Ok(statuses.chain([end]).collect::<Vec<_>>().join(" "))
}

fn nginx_configuration(scratch: &Path, listen: u16, upstream: u16) -> String {
    let folder = scratch.display();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {folder}/{kind};"))
        .join(" ");
    format!(
        "daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/error;
events {{}}
http {{
  access_log off; {temporary}
  upstream backend {{ server 127.0.0.1:{upstream}; keepalive 8; }}
  server {{
    listen 127.0.0.1:{listen};
    location / {{
      proxy_pass http://backend; proxy_http_version 1.1;
      proxy_set_header Connection \"\"; proxy_set_header Host $http_host;
    }}
  }}
}}
"
    )
}

fn haproxy_configuration(_: &Path, listen: u16, upstream: u16) -> String {
    format!(
        "defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend front
  bind 127.0.0.1:{listen}
  default_backend backend
backend backend
  server only 127.0.0.1:{upstream}
"
    )
}
