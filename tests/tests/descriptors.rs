//! A process that is out of descriptors: accepting pauses, says so once, and goes on by itself.

use ringmain_tests::client::Client;
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy};
use ringmain_tests::upstream::{Upstream, ok};
use ringmain_tests::wait::eventually;

const GET: &str = "GET / HTTP/1.1\r\nhost: a.example\r\n\r\n";
const COMPLAINT: &str = "cannot accept";

/// More connections than the limit leaves room for.
const CLIENTS: usize = 32;

#[test]
fn accepting_goes_on_when_there_are_descriptors_again() {
    for program in Program::ringmains() {
        let upstream = Upstream::start(vec![ok()]);
        let values = Values::from([("upstream".to_owned(), upstream.address().port().to_string())]);
        let proxy = Proxy::start(program, &front_proxy("", "", ""), &values);
        let complaints = || proxy.stderr().matches(COMPLAINT).count();
        for episode in 1..=2 {
            proxy.limit_descriptors(2);
            let clients: Vec<Client> =
                (0..CLIENTS).map(|_| Client::connect(proxy.port("listener"))).collect();
            eventually("the process to complain", || (complaints() == episode).then_some(()));
            proxy.limit_descriptors(1000);
            for mut client in clients {
                client.send(GET);
                let answer = client.read_response().expect("an answer");
                assert!(answer.start_line().contains("200"), "{program}: {}", answer.start_line());
            }
            assert_eq!(complaints(), episode, "{program}: once for each time");
        }
        assert!(proxy.admin().stat("server.accept_pauses") >= 2, "{program}");
    }
}
