//! The proxies' configuration files: text with `{{name}}` places, in `bench/configs/`.

use std::path::Path;

/// What Envoy and ringmain read.
pub const ENVOY: &str = include_str!("../configs/envoy.yaml");
/// What nginx reads.
pub const NGINX: &str = include_str!("../configs/nginx.conf");
/// What HAProxy reads.
pub const HAPROXY: &str = include_str!("../configs/haproxy.cfg");

/// What differs from one start of a proxy to the next.
#[derive(Debug)]
pub struct Places<'a> {
    pub listen_port: u16,
    pub admin_port: u16,
    pub upstream_port: u16,
    /// A folder for the proxy's own files.
    pub scratch: &'a Path,
}

impl Places<'_> {
    /// `template` with every place filled in.
    pub fn fill(&self, template: &str) -> String {
        template
            .replace("{{listen_port}}", &self.listen_port.to_string())
            .replace("{{admin_port}}", &self.admin_port.to_string())
            .replace("{{upstream_port}}", &self.upstream_port.to_string())
            .replace("{{scratch}}", &self.scratch.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_no_place_open() {
        let places =
            Places { listen_port: 1, admin_port: 2, upstream_port: 3, scratch: Path::new("/s") };
        for template in [ENVOY, NGINX, HAPROXY] {
            let text = places.fill(template);
            assert!(!text.contains("{{"), "{text}");
        }
    }
}
