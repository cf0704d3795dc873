//! HTTP/2 by the sections of RFC 9113 and RFC 7541: what a client may send, and which error, of the
//! stream or of the connection, ends what it may not. The `h2` crate ends the connection over some errors of a
//! stream, which RFC 9113 §5.4.1 lets it.

mod field_compression;
mod frames;
mod messages;
mod rig;
mod starting;
mod streams;

/// The conditions of the suite that servers of HTTP/2 are commonly held to.
#[test]
fn every_classic_condition_is_held() {
    let conditions = include_str!("conditions.txt");
    let suite = [
        include_str!("field_compression.rs"),
        include_str!("frames.rs"),
        include_str!("messages.rs"),
        include_str!("starting.rs"),
        include_str!("streams.rs"),
    ]
    .concat();
    let mut count = 0;
    for line in conditions.lines().filter(|line| !line.starts_with('#')) {
        let (condition, held_by) = line.split_once(" | ").expect("a condition and what holds it");
        let is_there = match held_by.strip_prefix("fn ") {
            Some(test) => suite.contains(&format!("#[test]\nfn {test}()")),
            None => suite.contains(&format!("\"{held_by}\",")),
        };
        assert!(is_there, "{condition}: {held_by}");
        count += 1;
    }
    assert_eq!(count, 147);
}
