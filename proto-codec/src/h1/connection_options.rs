//! The options of `connection` (RFC 9110 §7.6.1) that the codec itself obeys. The fields that it
//! names are the proxy's to remove.

use super::Version;

/// What the fields of a head ask of the connection.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ConnectionOptions {
    close: bool,
    keep_alive: bool,
    upgrade: bool,
}

impl ConnectionOptions {
    /// Takes a `connection` field.
    pub(super) fn connection(&mut self, value: &[u8]) {
        for option in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            self.upgrade |= option.eq_ignore_ascii_case(b"upgrade");
        }
    }

    /// Takes a `proxy-connection` field, never standardised; Envoy obeys it.
    pub(super) fn proxy_connection(&mut self, value: &[u8]) {
        self.close |= value.eq_ignore_ascii_case(b"close");
        self.keep_alive |= value.eq_ignore_ascii_case(b"keep-alive");
    }

    /// Whether the connection outlives the message (RFC 9112 §9.3).
    pub(super) fn keeps_alive(&self, version: Version) -> bool {
        !self.close && (version == Version::Http11 || self.keep_alive)
    }

    /// Whether `upgrade` concerns this connection (RFC 9110 §7.8).
    pub(super) fn upgrades(&self) -> bool {
        self.upgrade
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(value: &str) -> ConnectionOptions {
        let mut options = ConnectionOptions::default();
        options.connection(value.as_bytes());
        options
    }

    /// RFC 9112 §9.3.
    #[test]
    fn a_connection_persists_by_version_and_option() {
        for (value, http_10, http_11) in [
            ("", false, true),
            ("keep-alive", true, true),
            ("Keep-Alive", true, true),
            ("close", false, false),
            ("keep-alive, Close", false, false),
            ("x-close", false, true),
            (" , keep-alive\t,,x", true, true),
        ] {
            assert_eq!(options(value).keeps_alive(Version::Http10), http_10, "{value}");
            assert_eq!(options(value).keeps_alive(Version::Http11), http_11, "{value}");
        }
    }

    #[test]
    fn upgrade_is_an_option_among_others() {
        assert!(options("keep-alive, Upgrade").upgrades());
        assert!(!options("upgrades").upgrades());
    }
}
