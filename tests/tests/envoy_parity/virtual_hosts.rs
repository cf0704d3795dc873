//! Which virtual host takes a request.

use ringmain_tests::parity::{Case, case, compare};

/// A direct response that names the virtual host.
fn host(name: &str, domains: &str) -> String {
    format!(
        "- name: {name}\n  domains: {domains}\n  routes:\n  - match: {{ prefix: / }}\n    \
         direct_response: {{ status: 200, body: {{ inline_string: '{name}' }} }}\n"
    )
}

/// Asks one listener for each of these hosts in turn.
fn asking(name: &'static str, virtual_hosts: &str, hosts: &[&str]) -> Case {
    let case = case(name).virtual_hosts(virtual_hosts);
    hosts
        .iter()
        .fold(case, |case, host| case.ask(format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n")))
}

#[test]
fn domains() {
    let all_kinds = [
        host("exact", "[www.foo.com, 'bar.com:8080']"),
        host("suffix", "['*.foo.com', '*-bar.foo.com']"),
        host("longer_suffix", "['*.api.foo.com']"),
        host("prefix", "['foo.*', 'foo-*']"),
        host("longer_prefix", "['foo.bar.*']"),
        host("any", "['*']"),
    ]
    .concat();
    let no_default = host("exact", "[www.foo.com]") + &host("suffix", "['*.foo.com']");
    compare(vec![
        asking(
            "exact_before_all",
            &all_kinds,
            &["www.foo.com", "WWW.Foo.Com", "www.foo.com.", "bar.com:8080", "bar.com"],
        )
        .shows("\"exact\""),
        asking(
            "suffixes",
            &all_kinds,
            &["x.foo.com", "a.b.foo.com", "x-bar.foo.com", "y.api.foo.com", "api.foo.com"],
        )
        .shows("\"longer_suffix\""),
        asking("suffix_needs_a_character", &all_kinds, &["foo.com", ".foo.com", "-bar.foo.com"])
            .shows("\"any\""),
        asking(
            "prefixes",
            &all_kinds,
            &["foo.org", "foo-1.org", "foo.bar.org", "foo.bar.", "foo.", "FOO.org"],
        )
        .shows("\"longer_prefix\""),
        asking("suffix_before_prefix", &all_kinds, &["foo.x.foo.com"]).shows("\"suffix\""),
        asking(
            "port_is_part",
            &all_kinds,
            &["www.foo.com:80", "x.foo.com:80", "foo.org:80", "bar.com:8081"],
        )
        .shows("\"any\""),
        asking("addresses", &all_kinds, &["127.0.0.1", "[::1]", "[::1]:80"]).shows("\"any\""),
        asking("none_matches", &no_default, &["foo.com", "other.org", "www.foo.com:80"])
            .shows("HTTP/1.1 404 Not Found")
            .shows("route_not_found"),
    ]);
}
