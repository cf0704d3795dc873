//! Requests counted by virtual cluster and by the route's `stat_prefix`.

use ringmain_tests::parity::{Case, case, compare};
use ringmain_tests::upstream::{Act, Reply, ok, reply};

use crate::GET;
use crate::access_log_operators::logging;

/// A virtual host with virtual clusters for `/a` and for POST, and a route whose `action` is told.
fn grouped(name: &'static str, action: &str) -> Case {
    with_groups(logging(name, &["VIRTUAL_CLUSTER_NAME"]), action)
}

fn with_groups(case: Case, action: &str) -> Case {
    case.virtual_hosts(&format!(
        "- name: '{{{{name}}}}'
  domains: ['*']
  virtual_clusters:
  - name: a
    headers: [{{ name: ':path', string_match: {{ prefix: /a }} }}]
  - name: posts.all
    headers: [{{ name: ':method', string_match: {{ exact: POST }} }}]
  routes:
  - match: {{ prefix: /other }}
    route: {{ cluster: '{{{{cluster}}}}' }}
    stat_prefix: some.others
  - match: {{ prefix: / }}
    {action}
    stat_prefix: grouped"
    ))
}

fn forwarded(name: &'static str, fields: &str) -> Case {
    grouped(name, &format!("route: {{ cluster: '{{{{cluster}}}}', {fields} }}"))
}

fn get(path: &str) -> String {
    GET.replace("GET /", &format!("GET {path}"))
}

fn status(status: u16) -> Reply {
    reply(format!("HTTP/1.1 {status} Status\r\ncontent-length: 0\r\n\r\n"))
}

#[test]
fn the_first_virtual_cluster_that_matches_counts() {
    let post = "POST /x HTTP/1.1\r\nhost: a.example\r\ncontent-length: 0\r\n\r\n";
    compare(vec![
        forwarded("first", "")
            .ask(get("/a"))
            .ask(post.replace("/x", "/a"))
            .shows("vcluster.a.upstream_rq_200: 2"),
        forwarded("dotted", "").ask(post).shows("posts.all"),
        forwarded("catch_all", "").ask(get("/x")).shows("vcluster.other.upstream_rq_total: 1"),
        forwarded("classes", "")
            .upstream(status(204))
            .upstream(status(404))
            .upstream(status(503))
            .ask(get("/a"))
            .ask(get("/a"))
            .ask(get("/a")),
        forwarded("by_route", "")
            .ask(get("/other"))
            .ask(get("/other"))
            .shows("route.some.others.upstream_rq_completed: 2"),
        case("no_groups").ask(GET).hides("vcluster"),
    ]);
}

#[test]
fn groups_count_what_their_requests_meet() {
    let retry = "retry_policy: { retry_on: 5xx, retry_back_off: { base_interval: 0.001s } }";
    let closing: Reply = vec![Act::ReadBody, Act::Close];
    let stall: Reply = vec![Act::ReadBody, Act::Stall];
    let to =
        |name, cluster: &str| grouped(name, &format!("route: {{ cluster: '{cluster}', {retry} }}"));
    compare(vec![
        forwarded("retried", retry).upstream(status(500)).upstream(ok()).ask(get("/a")).shows("upstream_rq_retry_success: 1"),
        forwarded("exhausted", retry).upstream(status(500)).ask(get("/a")).shows("upstream_rq_retry_limit_exceeded: 1"),
        forwarded("broken_off", "").upstream(closing.clone()).ask(get("/a")).shows("vcluster.a.upstream_rq_503: 1"),
        forwarded("broken_off_retried", retry).upstream(closing).upstream(ok()).ask(get("/a")),
        forwarded("timed_out", "timeout: 0.2s").upstream(stall.clone()).ask(get("/a")).shows("vcluster.a.upstream_rq_timeout: 1"),
        forwarded("per_try", "retry_policy: { retry_on: 5xx, per_try_timeout: 0.2s, retry_back_off: { base_interval: 0.001s } }").upstream(stall).upstream(ok()).ask(get("/a")),
        to("refused_host", "{{refused}}").ask(get("/a")).shows("vcluster.a"),
        to("no_host", "{{empty}}").ask(get("/a")).shows("vcluster.a.upstream_rq_503: 1"),
        grouped("answered", "direct_response: { status: 200 }").ask(get("/a")),
        grouped("redirected", "redirect: { path_redirect: /b }").ask(get("/a")),
        grouped("no_cluster", "route: { cluster_header: x-none }").ask(get("/a")),
        with_groups(logging("broken_in_its_body", &["VIRTUAL_CLUSTER_NAME"]), "route: { cluster: '{{cluster}}' }")
            .upstream(vec![Act::ReadBody, Act::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab".to_vec()), Act::Close])
            .ask(get("/a")),
    ]);
}
