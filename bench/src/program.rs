//! Programs of other packages: where they are, and which release they are.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where Debian keeps servers; not on every user's PATH.
const SYSTEM_FOLDER: &str = "/usr/sbin";

/// The executable called `name`, if it is installed.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain([SYSTEM_FOLDER.into()])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// The first line that `program argument` prints on either stream; empty if it prints none.
pub fn first_line(program: &Path, argument: &str) -> String {
    let output = Command::new(program).arg(argument).stdin(Stdio::null()).output();
    let Ok(output) = output else { return String::new() };
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text)
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or_default()
        .to_owned()
}

/// The first word in `line` that starts with a number and holds a dot, as release numbers do.
pub fn release(line: &str) -> Option<&str> {
    line.split([' ', '/'])
        .map(|word| word.trim_start_matches('v').trim_end_matches(','))
        .find(|word| word.contains('.') && word.starts_with(|first: char| first.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_release_in_what_each_side_prints() {
        for (line, expected) in [
            ("nginx version: nginx/1.22.1", "1.22.1"),
            (
                "HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/",
                "2.6.12-1+deb12u4",
            ),
            ("wrk debian/4.1.0-3+b2 [epoll] Copyright (C) 2012 Will Glozer", "4.1.0-3+b2"),
            ("/opt/envoy  version: 84305a/1.40.0/Clean/RELEASE/BoringSSL", "1.40.0"),
            ("ringmain 0.1.0", "0.1.0"),
        ] {
            assert_eq!(release(line), Some(expected), "{line}");
        }
        assert_eq!(release("no such thing"), None);
    }
}
