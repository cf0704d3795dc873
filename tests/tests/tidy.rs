//! Rules of the house that no linter knows: which package may name what, and words that must not
//! come back.

use std::fs;
use std::path::{Path, PathBuf};

use ringmain_tests::workspace;

/// Every Rust file below a folder of the workspace, with its text.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    collect(&workspace::root().join(folder), &mut found);
    assert!(!found.is_empty(), "{folder} holds Rust files");
    found
}

fn collect(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("Rust files are UTF-8");
            found.push((path, text));
        }
    }
}

/// Fails with every line of code, comments left out, that holds one of `words`.
#[track_caller]
fn assert_nowhere(files: &[(PathBuf, String)], words: &[&str], rule: &str) {
    let mut offences = String::new();
    for (path, text) in files {
        let code =
            text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
        for (number, line) in code.filter(|(_, line)| words.iter().any(|word| line.contains(word)))
        {
            offences += &format!("{}:{}: {}\n", path.display(), number + 1, line.trim());
        }
    }
    assert!(offences.is_empty(), "{rule}:\n{offences}");
}

fn outside_runtime(files: Vec<(PathBuf, String)>) -> Vec<(PathBuf, String)> {
    let runtime = workspace::root().join("core/src/runtime");
    let front_page = runtime.with_extension("rs");
    files
        .into_iter()
        .filter(|(path, _)| !path.starts_with(&runtime) && *path != front_page)
        .collect()
}

#[test]
fn the_codec_does_no_io() {
    // The `h2` crate reads and writes by tokio's traits; here they move memory.
    let memory_io = workspace::root().join("proto-codec/src/h2/io.rs");
    let files = sources("proto-codec/src").into_iter().filter(|(path, _)| *path != memory_io);
    assert_nowhere(
        &files.collect::<Vec<_>>(),
        &[
            "std::net",
            "std::io",
            "std::time",
            "std::thread",
            "monoio",
            "tokio",
            "socket2",
            "io_uring",
        ],
        "proto-codec turns bytes into events: no sockets, no clock, no runtime",
    );
}

#[test]
fn the_configuration_does_no_io_but_reading_files() {
    assert_nowhere(
        &sources("config/src"),
        &[
            "TcpStream",
            "TcpListener",
            "UdpSocket",
            "thread::spawn",
            "monoio",
            "tokio",
            "socket2",
            "io_uring",
        ],
        "config reads text: no sockets, no runtime",
    );
}

#[test]
fn lower_layers_do_not_know_each_other() {
    assert_nowhere(
        &sources("proto-codec/src"),
        &["ringmain_config", "ringmain::"],
        "proto-codec stands alone",
    );
    assert_nowhere(
        &sources("config/src"),
        &["ringmain_proto_codec", "ringmain::"],
        "config stands alone",
    );
}

#[test]
fn only_the_runtime_folder_names_the_ring() {
    assert_nowhere(
        &outside_runtime(sources("core/src")),
        &["monoio", "io_uring::", "unsafe {", "unsafe fn", "unsafe impl", "allow(unsafe_code)"],
        "core/src/runtime/ alone names the I/O runtime and holds unsafe code",
    );
}

#[test]
fn queues_are_bounded() {
    assert_nowhere(
        &sources("core/src"),
        &["unbounded", "mpsc::channel()", "mpsc::channel::<"],
        "every queue in core has a limit",
    );
}

#[test]
fn nothing_is_left_for_later() {
    for folder in ["core", "proto-codec", "config", "bench", "fuzz"] {
        assert_nowhere(
            &sources(folder),
            &["todo!", "unimplemented!", "dbg!("],
            "what a commit brings works when it lands",
        );
    }
}

/// `robustness::many_clients_at_once` is the test of that name in `tests/tests/robustness.rs`.
#[test]
fn tests_that_documents_name_exist() {
    let folder = workspace::root().join("tests/tests");
    let document = fs::read_to_string(workspace::root().join("docs/testing.md"));
    let document = document.expect("a readable document");
    let rows = document.lines().filter(|line| line.starts_with("| ") && line.contains("::"));
    let named: Vec<&str> = rows
        .flat_map(|row| row.split('`').skip(1).step_by(2))
        .filter(|name| name.contains("::"))
        .collect();
    assert!(!named.is_empty(), "the document names tests");
    for name in named {
        let (file, test) = name.split_once("::").expect("a file and a test");
        let text = fs::read_to_string(folder.join(file).with_extension("rs")).unwrap_or_default();
        assert!(text.contains(&format!("#[test]\nfn {test}() {{")), "there is no test {name}");
    }
}
