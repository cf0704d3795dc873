//! The commands of documents do what the documents say.
//!
//! A block of YAML whose name stands before it becomes that file. Of a `console` block each line with a `$`
//! is run by a shell, and what follows it is what it prints. A command that ends in `&` serves on. Ports
//! are free ones at run time. What runs the commands that stand elsewhere in documents is in a table.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ringmain_tests::admin::Admin;
use ringmain_tests::process::Process;
use ringmain_tests::proxy::ringmain;
use ringmain_tests::wait::eventually;
use ringmain_tests::{port, workspace};

/// What a document's commands run with.
struct Shell {
    folder: PathBuf,
    /// Ports as written, and those that stand for them.
    ports: Vec<(&'static str, String)>,
    serving: Vec<Process>,
}

impl Shell {
    fn new(name: &str, ports: &[&'static str]) -> Self {
        let free = |written: &&'static str| (*written, port::free().to_string());
        let ports = ports.iter().map(free).collect();
        Self { folder: workspace::scratch(name), ports, serving: Vec::new() }
    }

    /// `text` with free ports.
    fn placed(&self, text: &str) -> String {
        let replace = |text: String, (written, free): &(&str, String)| text.replace(written, free);
        self.ports.iter().fold(text.to_owned(), replace)
    }

    /// `text` with the ports as written.
    fn told(&self, text: &str) -> String {
        let replace = |text: String, (written, free): &(&str, String)| text.replace(free, written);
        self.ports.iter().fold(text.to_owned(), replace)
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", &self.placed(line)]).current_dir(&self.folder).env("PATH", path());
        command
    }

    fn run(&mut self, line: &str) -> String {
        if let Some(line) = line.strip_suffix('&') {
            let mut command = self.command(&format!("exec {line}"));
            self.serving.push(Process::spawn("ringmain", &mut command, &self.folder));
            self.wait_until_ready();
            return String::new();
        }
        let output = self.command(line).output().expect("a shell starts");
        let said = [output.stdout, output.stderr].concat();
        self.told(&String::from_utf8_lossy(&said))
    }

    fn wait_until_ready(&self) {
        let admin = self.placed("9901").parse().expect("a port");
        eventually("ringmain to serve", || {
            std::net::TcpStream::connect(("127.0.0.1", admin)).ok()?;
            let ready = Admin::new(admin).request("GET", "/ready").ok()?;
            (ready.status() == Some(200)).then_some(())
        });
    }
}

/// The folders of commands, that of ringmain first.
fn path() -> OsString {
    let own = ringmain().parent().map(Path::to_path_buf);
    let others = std::env::var_os("PATH").unwrap_or_default();
    let all = own.into_iter().chain(std::env::split_paths(&others));
    std::env::join_paths(all).expect("no folder has a colon in its name")
}

/// The name of a file in a line that ends in one: "`envoy.yaml`:" or with more behind the name.
fn file_named(line: &str) -> Option<&str> {
    let (before, _) = line.rsplit_once(".yaml`")?;
    let (_, stem) = before.rsplit_once('`')?;
    line.ends_with(':').then_some(stem)
}

/// Runs `document`; every command must print what the document says.
fn holds(document: &str, ports: &[&'static str]) {
    let text = fs::read_to_string(workspace::root().join("docs").join(document));
    let text = text.expect("the document is there");
    let mut shell = Shell::new(document, ports);
    let mut name = None;
    let mut lines = text.lines().peekable();
    let mut commands = 0;
    while let Some(line) = lines.next() {
        name = file_named(line).or(name);
        if line == "```yaml" {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            let file = format!("{}.yaml", name.take().expect("a block of YAML has a name"));
            let placed = shell.placed(&(block.join("\n") + "\n"));
            fs::write(shell.folder.join(file), placed).expect("scratch is writable");
        } else if line == "```console" {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            for command in (block.join("\n") + "\n").split("$ ").skip(1) {
                let (command, expected) = command.split_once('\n').expect("a line");
                assert_eq!(shell.run(command), expected, "{document}: {command}");
                commands += 1;
            }
        }
    }
    assert!(commands > 0, "{document} has commands");
}

#[test]
fn operations() {
    holds("operations.md", &["10000", "9901", "8080"]);
}

#[test]
fn migrating_from_envoy() {
    holds("migrating-from-envoy.md", &["10000", "9901", "8080"]);
}

#[test]
fn migrating_from_app_mesh() {
    holds("migrating-from-app-mesh.md", &["15000", "15001", "9901", "8080"]);
}

/// Words that begin commands.
const PROGRAMS: [&str; 11] = [
    ".ci/run",
    "UPDATE_DOCS=1",
    "cargo",
    "curl",
    "docker",
    "just",
    "python3",
    "ringmain",
    "sysctl",
    "target/moto-venv/bin/python",
    "ulimit",
];

/// How commands outside `console` blocks begin, and what runs them, or the part of them that a test can run.
const RUN_BY: [(&str, &str); 19] = [
    (".ci/run", ".ci/run"),
    (
        "UPDATE_DOCS=1 cargo test -p ringmain-config --test config_docs",
        "config/tests/config_docs.rs",
    ),
    ("cargo build --no-default-features -p ringmain", ".ci/run"),
    ("cargo build --release", "tests/src/proxy.rs"),
    ("cargo run --release", "tests/tests/embedded_default.rs"),
    ("cargo run --release -- -c envoy.yaml", "tests/tests/command_line.rs"),
    (
        "cargo test --release -p ringmain-tests --test large_clusters",
        "tests/tests/large_clusters.rs",
    ),
    ("cargo test --workspace", ".ci/run"),
    ("curl -fs http://127.0.0.1:9901/ready", "tests/tests/admin.rs"),
    ("just differential", "tests/tests/http1_framing/differential.rs"),
    ("just fuzz-short", "fuzz/tests/corpus.rs"),
    ("just soak", "tests/tests/soak.rs"),
    ("python3 -m venv target/moto-venv", "tests/src/moto.rs"),
    ("ringmain --help", "tests/tests/command_line.rs"),
    ("ringmain --mode validate", "tests/tests/config_errors.rs"),
    ("ringmain -c FILE --mode validate", "tests/tests/config_errors.rs"),
    ("ringmain config dump -c FILE", "tests/tests/config_command.rs"),
    ("ringmain route-check -c FILE METHOD URL", "tests/tests/route_check.rs"),
    ("target/moto-venv/bin/python docs/examples/ecs", "tests/tests/ecs/moto.rs"),
];

/// Those that no test can run: they measure, change the machine, or ask another program than ours.
const RUN_BY_NOBODY: [&str; 5] = [
    "cargo bench -p ringmain-bench",
    "cargo run --release -p ringmain-bench",
    "docker run --security-opt",
    "sysctl ",
    "ulimit -l",
];

/// Commands of `text` outside `console` blocks.
fn commands_elsewhere(text: &str) -> Vec<&str> {
    let mut commands = Vec::new();
    let mut block = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), block) {
            (Some(language), None) => block = Some(language),
            (Some(_), Some(_)) => block = None,
            (None, Some("console")) => {}
            (None, Some(_)) => commands.push(line),
            (None, None) => commands.extend(line.split('`').skip(1).step_by(2)),
        }
    }
    commands.retain(|command| {
        let program = command.split(' ').next();
        let alone = *command == ".ci/run" || command.contains(' ');
        alone && program.is_some_and(|program| PROGRAMS.contains(&program))
    });
    commands
}

#[test]
fn every_command_is_run_by_something() {
    let root = workspace::root();
    let documents = fs::read_dir(root.join("docs")).expect("a folder of documents");
    let documents = documents.map(|entry| entry.expect("a readable entry").path());
    let beside = ["README.md", "CONTRIBUTING.md"].map(|name| root.join(name));
    let mut idle: Vec<&str> = RUN_BY.iter().map(|(command, _)| *command).collect();
    idle.extend(RUN_BY_NOBODY);
    for document in documents.chain(beside).filter(|path| path.extension() == Some("md".as_ref())) {
        let text = fs::read_to_string(&document).expect("a readable document");
        for command in commands_elsewhere(&text) {
            let known = RUN_BY.iter().map(|(begin, _)| *begin).chain(RUN_BY_NOBODY);
            let known: Vec<&str> = known.filter(|begin| command.starts_with(begin)).collect();
            assert!(!known.is_empty(), "{}: who runs {command}?", document.display());
            idle.retain(|begin| !known.contains(begin));
        }
    }
    assert_eq!(idle, Vec::<&str>::new(), "in no document");
    for (command, runner) in RUN_BY {
        assert!(root.join(runner).is_file(), "{command} is run by {runner}");
    }
}
