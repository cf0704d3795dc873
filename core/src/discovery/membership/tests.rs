use std::net::SocketAddr;

use ringmain_config::cluster::HealthStatus;

use super::*;

const GUARD: Guard = Guard { empty_set_grace: Duration::from_secs(60), max_removal_percent: 50 };

fn host(name: &str) -> HostDescription {
    let port = 1000 + u16::from(name.as_bytes()[0]);
    let address = SocketAddr::from(([10, 0, 0, 1], port));
    HostDescription { identity: name.into(), ..HostDescription::new(address) }
}

fn answer(complete: bool, found: &[&str], leaving: &[&str]) -> Answer {
    Answer {
        found: found.iter().map(|name| host(name)).collect(),
        leaving: leaving.iter().map(|name| ((*name).into(), "told")).collect(),
        complete,
        ..Answer::default()
    }
}

fn members(membership: &Membership) -> String {
    membership.hosts().iter().map(|host| host.identity.as_str()).collect()
}

/// One line for each poll of a story: what it said, and who is there afterwards.
struct Poll(u64, bool, &'static [&'static str], &'static [&'static str], &'static str);

fn play(story: &[Poll]) -> Membership {
    let mut membership = Membership::new(GUARD, Vec::new());
    let start = Instant::now();
    for (index, Poll(at, complete, found, leaving, expected)) in story.iter().enumerate() {
        let now = start + Duration::from_secs(*at);
        membership.apply(answer(*complete, found, leaving), now);
        assert_eq!(members(&membership), *expected, "after poll {index}");
    }
    membership
}

#[test]
fn a_failed_or_partial_answer_removes_nobody() {
    play(&[
        Poll(0, true, &["a", "b", "c"], &[], "abc"),
        Poll(10, false, &[], &[], "abc"),
        Poll(20, false, &["a"], &[], "abc"),
        Poll(30, false, &[], &[], "abc"),
    ]);
}

#[test]
fn what_a_partial_answer_says_is_used() {
    play(&[
        Poll(0, true, &["a", "b"], &[], "ab"),
        Poll(10, false, &["c"], &[], "abc"),
        Poll(20, false, &[], &["a"], "bc"),
    ]);
}

#[test]
fn absence_in_a_complete_answer_removes() {
    play(&[
        Poll(0, true, &["a", "b", "c"], &[], "abc"),
        Poll(10, true, &["a", "b"], &[], "ab"),
        Poll(20, true, &["b", "d"], &[], "bd"),
    ]);
}

#[test]
fn an_empty_answer_waits_for_its_grace() {
    play(&[
        Poll(0, true, &["a", "b"], &[], "ab"),
        Poll(10, true, &[], &[], "ab"),
        Poll(69, true, &[], &[], "ab"),
        Poll(70, true, &[], &[], ""),
    ]);
}

#[test]
fn an_answer_in_between_ends_the_grace() {
    play(&[
        Poll(0, true, &["a", "b"], &[], "ab"),
        Poll(10, true, &[], &[], "ab"),
        Poll(60, true, &["a", "b"], &[], "ab"),
        Poll(75, true, &[], &[], "ab"),
    ]);
}

#[test]
fn a_service_that_has_no_tasks_is_empty_at_once() {
    let mut membership = play(&[Poll(0, true, &["a", "b"], &[], "ab")]);
    let meant = Answer { empty_is_meant: true, ..answer(true, &[], &[]) };
    let outcome = membership.apply(meant, Instant::now());
    assert_eq!((members(&membership).as_str(), outcome.changes.len()), ("", 2));
}

#[test]
fn tasks_that_are_said_to_stop_leave_however_many_they_are() {
    play(&[Poll(0, true, &["a", "b"], &[], "ab"), Poll(10, true, &[], &["a", "b"], "")]);
}

#[test]
fn a_mass_removal_is_confirmed_by_a_second_poll() {
    play(&[
        Poll(0, true, &["a", "b", "c", "d"], &[], "abcd"),
        Poll(10, true, &["a"], &[], "abcd"),
        Poll(20, false, &[], &[], "abcd"),
        Poll(30, true, &["a"], &[], "a"),
    ]);
}

#[test]
fn hosts_that_come_back_were_never_gone() {
    play(&[
        Poll(0, true, &["a", "b", "c", "d"], &[], "abcd"),
        Poll(10, true, &["a"], &[], "abcd"),
        Poll(20, true, &["a", "b", "c", "d"], &[], "abcd"),
        Poll(30, true, &["a"], &[], "abcd"),
    ]);
}

#[test]
fn who_was_named_meanwhile_is_confirmed_anew() {
    play(&[
        Poll(0, true, &["a", "b", "c", "d"], &[], "abcd"),
        Poll(10, true, &["a"], &[], "abcd"),
        Poll(20, false, &["b", "c"], &[], "abcd"),
        Poll(30, true, &["a"], &[], "abc"),
        Poll(40, true, &["a"], &[], "a"),
    ]);
}

#[test]
fn each_host_is_confirmed_by_itself() {
    play(&[
        Poll(0, true, &["a", "b", "c", "d"], &[], "abcd"),
        Poll(10, true, &["a"], &[], "abcd"),
        Poll(20, true, &["d"], &[], "ad"),
        Poll(30, true, &["d"], &[], "d"),
    ]);
}

#[test]
fn a_grace_begins_anew_when_anybody_was_named_meanwhile() {
    play(&[
        Poll(0, true, &["a"], &[], "a"),
        Poll(10, true, &[], &[], "a"),
        Poll(80, true, &[], &[], ""),
        Poll(90, false, &["b"], &[], "b"),
        Poll(100, true, &[], &[], "b"),
    ]);
}

#[test]
fn who_is_there_without_an_address_ends_the_grace() {
    let mut membership = play(&[Poll(0, true, &["a"], &[], "a")]);
    let start = Instant::now();
    let mut at = |seconds, staying: &[&str]| {
        let staying = staying.iter().map(|name| (*name).to_owned()).collect();
        let answer = Answer { staying, complete: true, ..Answer::default() };
        membership.apply(answer, start + Duration::from_secs(seconds)).empty_ignored
    };
    assert!(at(0, &[]));
    assert!(!at(50, &["a"]));
    assert!(at(70, &[]));
}

#[test]
fn a_host_whose_address_is_not_told_stays() {
    let mut membership = Membership::new(GUARD, Vec::new());
    let task = |name: &str| HostDescription { identity: format!("{name}#80"), ..host(name) };
    let found = vec![task("a"), task("b"), task("c")];
    let first = Answer { found, complete: true, ..Answer::default() };
    membership.apply(first, Instant::now());
    let staying = ["a".to_owned(), "new".to_owned()].into();
    let next = Answer { staying, found: vec![task("b")], complete: true, ..Answer::default() };
    membership.apply(next, Instant::now());
    assert_eq!(members(&membership), "a#80b#80");
}

#[test]
fn who_is_not_known_leaves_by_a_partial_answer_unless_they_are_many() {
    let mut membership = play(&[Poll(0, true, &["a", "b", "c"], &[], "abc")]);
    let unknown = |names: &[&str]| Answer {
        unknown: names.iter().map(|name| (*name).to_owned()).collect(),
        ..Answer::default()
    };
    membership.apply(unknown(&["a", "b"]), Instant::now());
    assert_eq!(members(&membership), "abc");
    membership.apply(unknown(&["a"]), Instant::now());
    assert_eq!(members(&membership), "bc");
}

#[test]
fn the_outcome_tells_what_was_held() {
    let mut membership = play(&[Poll(0, true, &["a", "b", "c"], &[], "abc")]);
    let outcome = membership.apply(answer(true, &["a"], &[]), Instant::now());
    assert!(outcome.removal_held && membership.is_held("b") && !membership.is_held("a"));
    let outcome = membership.apply(answer(true, &[], &[]), Instant::now());
    assert!(outcome.empty_ignored && membership.is_held("a"));
    assert_eq!(outcome.held, 3);
}

#[test]
fn restored_hosts_stay_until_the_first_complete_answer() {
    let restored = ["a", "b", "c"].map(host).to_vec();
    let mut membership = Membership::new(GUARD, restored);
    membership.apply(answer(false, &["d"], &[]), Instant::now());
    assert_eq!(members(&membership), "abcd");
    assert!(membership.is_restored("c"));
    membership.apply(answer(true, &["c", "d"], &[]), Instant::now());
    assert_eq!(members(&membership), "cd");
    assert!(!membership.is_restored("c"));
}

#[test]
fn a_host_keeps_its_identity_when_its_health_changes() {
    let mut membership = play(&[Poll(0, true, &["a", "b"], &[], "ab")]);
    let sick = HostDescription { health_status: HealthStatus::Unhealthy, ..host("a") };
    let found = vec![sick, host("b")];
    let next = Answer { found, complete: true, ..Answer::default() };
    let outcome = membership.apply(next, Instant::now());
    assert!(outcome.changes.is_empty());
    assert_eq!(membership.hosts()[0].health_status, HealthStatus::Unhealthy);
}
