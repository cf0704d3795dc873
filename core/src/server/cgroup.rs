//! The memory of the control group that the process is in, as a container sees it: the group's files lie
//! where its own file system for groups is mounted.

use std::fs;
use std::io;
use std::path::Path;

/// What a group uses and may use, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// In use.
    pub used: u64,
    /// Its limit, if it has one.
    pub limit: Option<u64>,
}

/// Where groups of version 2 tell what they use and may use, and where those of version 1 do.
const FILES: [[&str; 2]; 2] = [
    ["/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.max"],
    ["/sys/fs/cgroup/memory/memory.usage_in_bytes", "/sys/fs/cgroup/memory/memory.limit_in_bytes"],
];

/// The memory of the group. An error where there are no groups, or they tell nothing of memory.
pub fn memory() -> io::Result<Memory> {
    let there = FILES.iter().find(|files| files.iter().all(|file| Path::new(file).exists()));
    let [used, limit] = there.ok_or_else(|| {
        io::Error::new(io::ErrorKind::NotFound, "there is no control group for memory")
    })?;
    let used = bytes(used)?.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
    Ok(Memory { used, limit: bytes(limit)? })
}

fn bytes(file: &str) -> io::Result<Option<u64>> {
    parse(&fs::read_to_string(file)?).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The number in such a file; `max` and, of version 1, -1 are no limit.
fn parse(text: &str) -> Option<Option<u64>> {
    match text.trim() {
        "max" | "-1" => Some(None),
        number => number.parse().ok().map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_or_none() {
        assert_eq!(parse("12\n"), Some(Some(12)));
        assert_eq!([parse("max\n"), parse("-1\n")], [Some(None); 2]);
        assert_eq!([parse(""), parse("many")], [None; 2]);
    }
}
