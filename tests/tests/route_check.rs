//! `ringmain route-check`: what becomes of a request, without serving it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use ringmain_tests::proxy::run_ringmain;
use ringmain_tests::workspace;

const CONFIG: &str = r#"static_resources:
  listeners:
  - name: front
    address: { socket_address: { address: 127.0.0.1, port_value: 10000 } }
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: front
          normalize_path: true
          merge_slashes: true
          path_with_escaped_slashes_action: UNESCAPE_AND_REDIRECT
          strip_any_host_port: true
          http_filters:
          - name: router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
          route_config:
            name: main
            virtual_hosts:
            - name: shop
              domains: ['shop.example', '*.shop.example']
              routes:
              - name: beta
                match: { prefix: /items, headers: [{ name: x-beta, string_match: { exact: 'yes' } }] }
                route: { cluster: beta }
              - match: { prefix: /items }
                route: { cluster: stable, prefix_rewrite: /v1/items, host_rewrite_literal: inner }
              - match: { prefix: /split }
                route:
                  weighted_clusters:
                    clusters: [{ name: stable, weight: 90 }, { name: beta, weight: 10 }]
              - match: { prefix: /pick }
                route: { cluster_header: x-cluster }
              - name: old
                match: { prefix: /old }
                redirect: { prefix_rewrite: /items, response_code: FOUND }
              - match: { path: /health }
                direct_response: { status: 204 }
            - name: safe
              domains: ['safe.example']
              require_tls: ALL
              routes:
              - match: { prefix: / }
                route: { cluster: stable }
  - name: back
    address: { socket_address: { address: 127.0.0.1, port_value: 10001 } }
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: back
          http_filters:
          - name: router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
          route_config:
            virtual_hosts:
            - name: all
              domains: ['*']
              routes:
              - match: { prefix: / }
                route: { cluster: stable }
  clusters:
  - { name: stable, type: STATIC, load_assignment: { cluster_name: stable } }
  - { name: beta, type: STATIC, load_assignment: { cluster_name: beta } }
"#;

fn file(name: &str, text: &str) -> PathBuf {
    let path = workspace::scratch("route-check").join(name);
    fs::write(&path, text).expect("scratch is writable");
    path
}

fn run(config: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut all = vec!["route-check", "-c", config.to_str().expect("UTF-8")];
    all.extend(arguments);
    let Output { status, stdout, stderr } = run_ringmain(&all);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (status.code(), text(stdout), text(stderr))
}

/// Asks the configuration above: the exit code, and every line but the first, of the listener `front`.
#[track_caller]
fn asked(arguments: &[&str]) -> (i32, String) {
    let config = file("envoy.yaml", CONFIG);
    let (code, said, errors) = run(&config, &[&["--listener", "front"], arguments].concat());
    assert_eq!(errors, "", "{arguments:?}");
    let rest = said.strip_prefix("listener      front\n").expect("the listener comes first");
    (code.expect("it ends by itself"), rest.to_owned())
}

#[test]
fn a_route_is_told_with_its_reasons() {
    let (code, said) = asked(&["GET", "http://www.shop.example:81//a/../items/7?q=1"]);
    assert_eq!(
        said,
        "routes        main\n\
         virtual host  shop  [domain '*.shop.example' serves 'www.shop.example']\n\
         passed over   0 (beta)  [header 'x-beta' does not match]\n\
         route         1  [prefix '/items']\n\
         cluster       stable\n\
         path          /v1/items/7?q=1\n\
         host          inner\n"
    );
    assert_eq!(code, 0);
    let (code, said) = asked(&["GET", "http://shop.example/items", "-H", "X-Beta: yes"]);
    assert_eq!(
        said,
        "routes        main\n\
         virtual host  shop  [domain 'shop.example' serves 'shop.example']\n\
         route         0 (beta)  [prefix '/items', header 'x-beta']\n\
         cluster       beta\n\
         path          /items\n\
         host          shop.example\n"
    );
    assert_eq!(code, 0);
}

#[test]
fn clusters_are_chosen_as_in_service() {
    for (random, cluster, weight) in [("0", "stable", 90), ("89", "stable", 90), ("90", "beta", 10)]
    {
        let (_, said) = asked(&["GET", "http://shop.example/split", "--random", random]);
        let line = format!("cluster       {cluster}  [weight {weight} of 100]\n");
        assert!(said.contains(&line), "{random}: {said}");
    }
    let (_, said) = asked(&["GET", "http://shop.example/pick", "-H", "x-cluster: beta"]);
    assert!(said.contains("cluster       beta  [named by the header 'x-cluster']\n"), "{said}");
    let (code, said) = asked(&["GET", "http://shop.example/pick"]);
    assert!(said.contains("cluster       none  [named by the header 'x-cluster']\n"), "{said}");
    assert!(said.ends_with("status        503  [cluster_not_found]\n"), "{said}");
    assert_eq!(code, 0);
}

#[test]
fn replies_without_an_upstream_are_told() {
    for (url, code, status, location) in [
        ("http://shop.example/old/7?q", 0, "302  [redirect]", "http://shop.example/items/7?q"),
        ("http://shop.example/health", 0, "204  [direct_response]", ""),
        ("http://safe.example/a", 1, "301  [require_tls]", "https://safe.example/a"),
        ("http://shop.example/a%2Fb", 1, "307  [path_normalization_failed]", "/a/b"),
        ("http://shop.example/nowhere", 1, "404  [route_not_found]", ""),
        ("http://other.example/", 1, "404  [route_not_found]", ""),
        ("http://shop.example/%00", 1, "400  [path_normalization_failed]", ""),
    ] {
        let (is, said) = asked(&["GET", url]);
        assert!(said.contains(&format!("status        {status}\n")), "{url}: {said}");
        let told = said.lines().find_map(|line| line.strip_prefix("location      "));
        assert_eq!(told.unwrap_or_default(), location, "{url}");
        assert_eq!(is, code, "{url}");
    }
    let (code, said) = asked(&["GET", "https://safe.example/a"]);
    assert!(said.contains("cluster       stable\n"), "{said}");
    assert_eq!(code, 0);
}

#[test]
fn the_listener_follows_from_the_port() {
    let config = file("envoy.yaml", CONFIG);
    let (code, said, _) = run(&config, &["GET", "http://a.example:10001/"]);
    assert!(said.starts_with("listener      back\nvirtual host  all  [domain '*'"), "{said}");
    assert_eq!(code, Some(0));
    let (code, said, errors) = run(&config, &["GET", "http://a.example/"]);
    assert_eq!((code, said.as_str()), (Some(2), ""));
    assert_eq!(errors, "no listener with port 80; say which: there are front, back\n");
}

#[test]
fn what_cannot_be_asked_ends_with_2() {
    let config = file("envoy.yaml", CONFIG);
    for (arguments, says) in [
        (&["GET"][..], "<URL>"),
        (&[], "<METHOD>"),
        (&["GET", "/items", "--listener", "front"], "'/items' names no host"),
        (&["GET", "http://a/", "--listener", "side"], "no listener 'side'; there are front, back"),
        (&["GET", "http://a/", "-H", "x"], "header 'x' has no colon"),
        (&["--tests", "/no/such/file"], "cannot read '/no/such/file': "),
    ] {
        let (code, said, errors) = run(&config, arguments);
        assert_eq!((code, said.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(errors.contains(says), "{arguments:?}: {errors}");
    }
    let wrong = file("wrong.yaml", &CONFIG.replace("cluster: beta }", "cluster: gamma }"));
    let (code, _, errors) = run(&wrong, &["GET", "http://a:10000/"]);
    assert_eq!(code, Some(2));
    assert!(errors.contains("gamma") && errors.contains("wrong.yaml:"), "{errors}");
}

#[test]
fn a_table_of_expectations_passes() {
    let config = file("envoy.yaml", CONFIG);
    let table = file(
        "passes.yaml",
        "- url: http://shop.example/items/1\n  listener: front\n  expect: { virtual_host: shop, \
         route: 1, cluster: stable, path: /v1/items/1, host: inner }\n\
         - name: beta users\n  url: http://shop.example/items/1\n  listener: front\n  headers: \
         { x-beta: 'yes' }\n  expect: { route: beta, cluster: beta }\n\
         - method: POST\n  url: http://shop.example:10000/old\n  expect: { route: old, status: 302, \
         location: 'http://shop.example/items' }\n\
         - url: http://shop.example:10000/split\n  random: 95\n  expect: { cluster: beta }\n",
    );
    let (code, said, errors) = run(&config, &["--tests", table.to_str().expect("UTF-8")]);
    assert_eq!(said, "4 of 4 tests passed\n", "{errors}");
    assert_eq!(code, Some(0));
}

#[test]
fn each_failure_of_a_table_is_told() {
    let config = file("envoy.yaml", CONFIG);
    let table = file(
        "fails.yaml",
        "- url: http://shop.example:10000/items\n  expect: { route: beta, cluster: stable, host: a }\n\
         - url: http://shop.example:10000/health\n  expect: { status: 204 }\n\
         - name: gone\n  url: http://shop.example:10000/x\n  expect: { cluster: stable }\n",
    );
    let (code, said, _) = run(&config, &["--tests", table.to_str().expect("UTF-8")]);
    assert_eq!(
        said,
        "FAILED test 1 (GET http://shop.example:10000/items)\n  \
         route is '1', expected 'beta'\n  \
         host is 'inner', expected 'a'\n\
         FAILED test 3 (gone)\n  \
         there is no cluster, expected 'stable'\n\
         1 of 3 tests passed\n"
    );
    assert_eq!(code, Some(1));
}

#[test]
fn a_bad_table_is_refused() {
    let config = file("envoy.yaml", CONFIG);
    for (table, says) in [
        ("[]", "there is no test"),
        (
            "- url: http://a:10000/\n  expect: {}\n",
            "test 1 (GET http://a:10000/): it expects nothing",
        ),
        ("- url: http://a:10000/\n  expect: { clutser: a }\n", "clutser"),
        (
            "- url: http://a/\n  expect: { cluster: a }\n",
            "test 1 (GET http://a/): no listener with",
        ),
    ] {
        let path = file("bad.yaml", table);
        let (code, _, errors) = run(&config, &["--tests", path.to_str().expect("UTF-8")]);
        assert_eq!(code, Some(2), "{table}");
        assert!(errors.contains(says) && errors.contains("bad.yaml: "), "{table}: {errors}");
    }
}
