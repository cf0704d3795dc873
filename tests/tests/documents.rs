//! The commands of documents do what the documents say.
//!
//! A block of YAML whose name stands before it becomes that file. Of a `console` block each line with a `$`
//! is run by a shell, and what follows it is what it prints. A command that ends in `&` serves on. Ports
//! are free ones at run time.

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
