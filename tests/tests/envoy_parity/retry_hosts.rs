//! Which hosts a request is not sent again to (`retry_host_predicate`).

use ringmain_tests::client::Client;
use ringmain_tests::proxy::{Program, Proxy};
use ringmain_tests::template::{Values, front_proxy, indented};
use ringmain_tests::upstream::{Upstream, ok, reply};

/// Each answers 200 in the end only if no request goes from one bad host to the other.
const PREDICATES: [(&str, &str); 2] = [
    ("omit_canary_hosts.v3.OmitCanaryHostsPredicate", ""),
    (
        "omit_host_metadata.v3.OmitHostMetadataConfig",
        ", metadata_match: { filter_metadata: { envoy.lb: { stage: dev } } }",
    ),
];

/// Requests by turns to three hosts: two are bad, and the one in the middle is not wanted.
const REQUESTS: usize = 9;

fn bad() -> Upstream {
    Upstream::start(vec![reply("HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n")])
}

#[test]
fn hosts_are_omitted() {
    let hosts = [bad(), bad(), Upstream::start(vec![ok()])];
    for (predicate, fields) in PREDICATES {
        for program in [Program::Envoy].into_iter().chain(Program::ringmains()) {
            let policy =
                format!("host_selection_retry_max_attempts: 10\n{}", predicates(predicate, fields));
            let proxy = start(program, &hosts, &policy, "");
            let mut client = Client::connect(proxy.port("listener"));
            for _ in 0..REQUESTS {
                client.send("GET / HTTP/1.1\r\nhost: a.example\r\n\r\n");
                let answer = client.read_response().expect("an answer");
                assert!(answer.start_line().contains("200"), "{program}, {predicate}: {answer}");
            }
            let retried = proxy.admin().stat("cluster.backend.upstream_rq_retry_success");
            assert!(retried > 0, "{program}, {predicate}");
        }
    }
}

#[test]
fn hosts_that_were_tried_are_left_out() {
    let hosts = [bad(), bad(), Upstream::start(vec![ok()])];
    let previous = predicates("previous_hosts.v3.PreviousHostsPredicate", "");
    let policy = format!("num_retries: 2\nhost_selection_retry_max_attempts: 100\n{previous}");
    for program in [Program::Envoy].into_iter().chain(Program::ringmains()) {
        // Chance would choose a host twice; three attempts that go to three hosts reach the good one.
        let proxy = start(program, &hosts, &policy, "lb_policy: RANDOM");
        let mut client = Client::connect(proxy.port("listener"));
        for _ in 0..3 * REQUESTS {
            client.send("GET / HTTP/1.1\r\nhost: a.example\r\n\r\n");
            let answer = client.read_response().expect("an answer");
            assert!(answer.start_line().contains("200"), "{program}: {answer}");
        }
    }
}

fn predicates(predicate: &str, fields: &str) -> String {
    format!(
        "retry_host_predicate: [{{ name: p, typed_config: {{ '@type': \
         type.googleapis.com/envoy.extensions.retry.host.{predicate}{fields} }} }}]"
    )
}

/// A proxy before `hosts`, with these further fields of the retry policy and of the cluster.
fn start(program: Program, hosts: &[Upstream; 3], policy: &str, cluster: &str) -> Proxy {
    let policy = format!(
        "retry_policy:\n  retry_on: 5xx\n  retry_back_off: {{ base_interval: 0.001s }}\n{}",
        indented(policy, 2)
    );
    let config = front_proxy("", &policy, cluster);
    let only = config.lines().find(|line| line.contains("{{upstream}}")).expect("one endpoint");
    let unwanted = ", metadata: { filter_metadata: { envoy.lb: { canary: true, stage: dev } } }";
    let endpoints = hosts.iter().zip(["", unwanted, ""]).map(|(host, metadata)| {
        let endpoint = only.replace("{{upstream}}", &host.address().port().to_string());
        endpoint.replace("- endpoint: {", "- { endpoint: {") + metadata + " }\n"
    });
    let config = config.replace(&format!("{only}\n"), &endpoints.collect::<String>());
    Proxy::start(program, &config, &Values::new())
}
