//! Where io_uring is denied, as in many containers, the same binary serves on epoll and says why.

use ringmain_tests::client::Client;
use ringmain_tests::proxy::{Program, Proxy, denying_io_uring};
use ringmain_tests::template::{Values, front_proxy};
use ringmain_tests::upstream::{Upstream, ok};

const POST: &str = "POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 2\r\n\r\nhi";
/// What to do about it.
const CURE: &str =
    "allow io_uring_setup, io_uring_enter and io_uring_register in the container's seccomp profile";

#[test]
fn denied_io_uring_is_replaced_by_epoll() {
    let upstream = Upstream::start(vec![ok(), ok()]);
    let values = Values::from([("upstream".to_owned(), upstream.address().port().to_string())]);
    let proxy = Proxy::start(Program::RingmainWithoutIoUring, &front_proxy("", "", ""), &values);
    let mut client = Client::connect(proxy.port("listener"));
    for _ in 0..2 {
        client.send(POST);
        let answer = client.read_response().expect("an answer");
        assert!(answer.start_line().contains("200"), "{}", answer.start_line());
    }
    assert_eq!(upstream.requests().len(), 2);
    let told = proxy.stderr();
    let choice = told.lines().find(|line| line.contains("I/O engine")).unwrap_or_default();
    assert!(choice.contains("I/O engine: epoll (io_uring is refused: "), "{told}");
    assert!(choice.contains(CURE), "{told}");
}

#[test]
fn denied_io_uring_that_was_asked_for_ends_the_start() {
    let ended = denying_io_uring().args(["--io-engine", "io_uring"]).output().expect("it starts");
    let told = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{told}");
    assert!(told.starts_with("cannot use io_uring: "), "{told}");
    assert!(told.contains(CURE), "{told}");
}
