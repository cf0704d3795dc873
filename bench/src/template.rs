//! The proxies' configuration files: templates in `bench/configs/`.

use std::path::Path;

use minijinja::{Environment, UndefinedBehavior, context};

use crate::setup::Setup;
use crate::tls::Credentials;

/// What Envoy and ringmain read.
/// What lets nginx proxy bytes, where Debian puts it.
pub const NGINX_STREAM_MODULE: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";
pub const ENVOY: &str = include_str!("../configs/envoy.yaml");
/// What nginx reads.
pub const NGINX: &str = include_str!("../configs/nginx.conf");
/// What HAProxy reads.
pub const HAPROXY: &str = include_str!("../configs/haproxy.cfg");
/// HAProxy's table of host names.
pub const HAPROXY_HOSTS: &str = include_str!("../configs/hosts.map");

/// What differs from one start of a proxy to the next.
#[derive(Debug)]
pub struct Places<'a> {
    pub listen_port: u16,
    pub admin_port: u16,
    pub upstream_port: u16,
    /// A folder for the proxy's own files.
    pub scratch: &'a Path,
    /// Where the access log goes, if the setup has one.
    pub access_log: &'a Path,
    /// What is shown in TLS.
    pub credentials: &'a Credentials,
    pub setup: &'a Setup,
}

impl Places<'_> {
    /// `template` with every place filled in; the error names what is wrong with the template.
    pub fn fill(&self, template: &str) -> Result<String, String> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_keep_trailing_newline(true);
        let values = context! {
            listen_port => self.listen_port,
            admin_port => self.admin_port,
            upstream_port => self.upstream_port,
            scratch => self.scratch.display().to_string(),
            access_log => self.setup.access_log.then(|| self.access_log.display().to_string()),
            filters => self.setup.filters,
            workers => self.setup.workers,
            connections_max => self.setup.connections_max,
            domains => self.setup.domains(),
            hosts => self.setup.host_addresses(),
            choose_by_name => self.setup.hosts > 0,
            downstream => self.setup.downstream,
            upstream => self.setup.upstream,
            certificate => self.credentials.certificate.display().to_string(),
            key => self.credentials.key.display().to_string(),
            bundle => self.credentials.bundle.display().to_string(),
            nginx_stream_module => NGINX_STREAM_MODULE,
        };
        environment.render_str(template, values).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::{Downstream, Upstream};

    fn filled(template: &str, setup: &Setup) -> String {
        let places = Places {
            listen_port: 1,
            admin_port: 2,
            upstream_port: 3,
            scratch: Path::new("/s"),
            access_log: Path::new("/s/access.log"),
            credentials: &Credentials::within(Path::new("/c")),
            setup,
        };
        places.fill(template).unwrap()
    }

    #[test]
    fn leaves_no_place_open() {
        for template in [ENVOY, NGINX, HAPROXY, HAPROXY_HOSTS] {
            let text = filled(template, &Setup::PLAIN);
            assert!(!text.contains("{{") && !text.contains("{%"), "{text}");
            assert!(!text.contains("access.log"), "{text}");
        }
    }

    #[test]
    fn every_side_has_the_ends_of_the_setup() {
        let tls = Setup { downstream: Downstream::Tls, upstream: Upstream::Tls, ..Setup::PLAIN };
        let tcp = Setup { downstream: Downstream::Tcp, ..Setup::PLAIN };
        for (template, certificate, verified, bytes) in [
            (ENVOY, "filename: /c/certificate.pem }", "UpstreamTlsContext", "TcpProxy"),
            (NGINX, "ssl_certificate /c/certificate.pem;", "https://upstream;", "load_module"),
            (HAPROXY, "crt /c/bundle.pem", "ssl verify none", "mode tcp"),
        ] {
            let plain = filled(template, &Setup::PLAIN);
            for (setup, text) in [(&tls, certificate), (&tls, verified), (&tcp, bytes)] {
                assert!(filled(template, setup).contains(text), "{text}");
                assert!(!plain.contains(text), "{text}");
            }
        }
    }

    #[test]
    fn every_side_has_the_filters_of_the_setup() {
        let setup = Setup { filters: true, ..Setup::PLAIN };
        for (template, limit) in
            [(ENVOY, "local_ratelimit"), (NGINX, "limit_req zone"), (HAPROXY, "http_req_rate")]
        {
            for text in [limit, "x-bench"] {
                assert!(!filled(template, &Setup::PLAIN).contains(text), "{text}");
                assert!(filled(template, &setup).contains(text), "{text}");
            }
        }
    }

    #[test]
    fn every_side_chooses_among_the_hosts_of_the_setup_by_name() {
        let setup = Setup { hosts: 5_000, ..Setup::PLAIN };
        for (template, policy) in
            [(ENVOY, "lb_policy: MAGLEV"), (NGINX, "hash $host"), (HAPROXY, "balance hdr(host)")]
        {
            let plain = filled(template, &Setup::PLAIN);
            assert!(plain.contains("127.0.0.1") && !plain.contains(policy), "{plain}");
            let text = filled(template, &setup);
            assert!(text.contains(policy) && text.contains("127.0.19.136"), "{text}");
        }
    }

    #[test]
    fn every_side_has_the_log_and_the_hosts_of_the_setup() {
        let setup = Setup { access_log: true, virtual_hosts: 3, ..Setup::PLAIN };
        for (template, log) in [
            (ENVOY, "path: /s/access.log\n"),
            (NGINX, "access_log /s/access.log;\n"),
            (HAPROXY, "log stdout"),
        ] {
            let text = filled(template, &setup);
            assert!(text.contains(log), "{text}");
        }
        for template in [ENVOY, NGINX, HAPROXY_HOSTS] {
            let text = filled(template, &setup);
            assert_eq!(text.matches(".example").count(), 3, "{text}");
            assert!(text.contains("host-2.example"), "{text}");
        }
    }
}
