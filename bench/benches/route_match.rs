//! Finding virtual host and route in tables of growing size. Each question is for the last entry of a
//! list, which a scan would come to last.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion};
use ringmain::router::{Found, RouteRequest, RouteTable};
use ringmain_config::header_mutation::HeaderMutations;
use ringmain_config::route::{
    Action, Domain, PathMatch, Route, RouteConfiguration, RouteMatch, TlsRequirement, VirtualHost,
};
use ringmain_proto_codec::{HeaderMap, KnownHeader};

const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];

fn table(virtual_hosts: Vec<VirtualHost>) -> RouteTable {
    RouteTable::new(RouteConfiguration {
        name: String::new(),
        virtual_hosts,
        request_headers: HeaderMutations::default(),
        response_headers: HeaderMutations::default(),
        ignore_port_in_host_matching: false,
        vhost_header: None,
        ignore_path_parameters_in_path_matching: false,
        most_specific_header_mutations_wins: false,
        request_mirror_policies: Vec::new(),
        per_filter_configs: Default::default(),
    })
}

fn host(domain: Domain, prefixes: impl Iterator<Item = String>) -> VirtualHost {
    VirtualHost {
        name: String::new(),
        domains: vec![domain],
        routes: prefixes.map(route).collect(),
        virtual_clusters: Vec::new(),
        require_tls: TlsRequirement::None,
        request_headers: HeaderMutations::default(),
        response_headers: HeaderMutations::default(),
        include_request_attempt_count: false,
        include_is_timeout_retry_header: false,
        include_attempt_count_in_response: false,
        retry_policy: None,
        hedge_policy: None,
        request_body_buffer_limit: None,
        metadata: Default::default(),
        request_mirror_policies: Vec::new(),
        rate_limits: Vec::new(),
        per_filter_configs: Default::default(),
    }
}

fn route(prefix: String) -> Route {
    Route {
        name: String::new(),
        matcher: RouteMatch::of_path(PathMatch::Prefix(prefix), true),
        action: Action::NonForwarding,
        request_headers: HeaderMutations::default(),
        response_headers: HeaderMutations::default(),
        request_body_buffer_limit: None,
        metadata: Default::default(),
        per_filter_configs: Default::default(),
        stat_prefix: None,
    }
}

fn headers(authority: &str, path: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.append_known(KnownHeader::Method, b"GET");
    headers.append_known(KnownHeader::Authority, authority.as_bytes());
    headers.append_known(KnownHeader::Path, path.as_bytes());
    headers
}

fn measure(
    criterion: &mut Criterion,
    group: &str,
    make: impl Fn(usize) -> (RouteTable, HeaderMap),
) {
    let mut group = criterion.benchmark_group(group);
    for size in SIZES {
        let (table, headers) = make(size);
        let request = RouteRequest { headers: &headers, random: &|| 0, tls: None };
        assert!(matches!(table.find(0, &request), Found::Route(_)));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| black_box(&table).find(0, black_box(&request)));
        });
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let root = || std::iter::once("/".to_owned());
    measure(&mut criterion, "route_match/exact_hosts", |size| {
        let hosts =
            (0..size).map(|at| host(Domain::Exact(format!("host-{at}.example.com")), root()));
        let last = headers(&format!("host-{}.example.com", size - 1), "/");
        (table(hosts.collect()), last)
    });
    measure(&mut criterion, "route_match/wildcard_hosts", |size| {
        let hosts =
            (0..size).map(|at| host(Domain::Suffix(format!(".host-{at}.example.com")), root()));
        let last = headers(&format!("www.host-{}.example.com", size - 1), "/");
        (table(hosts.collect()), last)
    });
    measure(&mut criterion, "route_match/routes", |size| {
        let prefixes = (0..size).map(|at| format!("/service-{at}/"));
        let last = headers("a.example", &format!("/service-{}/items?page=2", size - 1));
        (table(vec![host(Domain::Any, prefixes)]), last)
    });
    criterion.final_summary();
}
