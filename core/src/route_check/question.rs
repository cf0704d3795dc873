//! A request to ask about.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ringmain_config::address::Address;

use super::CheckError;
use super::args::RouteCheckArgs;
use crate::listener::ConnectionInfo;

/// Who asks by default: an address for documentation (RFC 5737), which no network holds for its own.
pub const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// A request and where it comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The method.
    pub method: String,
    /// As given.
    pub url: String,
    /// Names and values in order.
    pub headers: Vec<(String, String)>,
    /// The listener's name.
    pub listener: Option<String>,
    /// The peer's address.
    pub client: IpAddr,
    /// The stream's random number.
    pub random: u64,
}

/// The parts of a URL that go into a request.
struct Url<'u> {
    is_https: bool,
    /// Absent in `/path`.
    authority: Option<&'u str>,
    target: &'u str,
}

impl Question {
    /// The one of the command line.
    pub fn of_args(args: &RouteCheckArgs) -> Result<Self, CheckError> {
        let (Some(method), Some(url)) = (&args.method, &args.url) else {
            return Err(CheckError("METHOD and URL are required".into()));
        };
        let header = |line: &String| match line.split_once(':') {
            Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
            None => Err(CheckError(format!("header '{line}' has no colon"))),
        };
        Ok(Self {
            method: method.clone(),
            url: url.clone(),
            headers: args.headers.iter().map(header).collect::<Result<_, _>>()?,
            listener: args.listener.clone(),
            client: args.client,
            random: args.random,
        })
    }

    /// The port that the URL is for.
    pub fn port(&self) -> u16 {
        let url = Url::of(&self.url, &self.method);
        let authority = url.authority.unwrap_or_default();
        let named = authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        named.unwrap_or(if url.is_https { 443 } else { 80 })
    }

    /// The connection that a client would make to `listener`, with the URL's host for the name of a
    /// TLS handshake.
    pub fn connection(&self, listener: &Address) -> ConnectionInfo {
        let url = Url::of(&self.url, &self.method);
        let mut connection =
            ConnectionInfo::accepted(SocketAddr::new(self.client, 0).into(), listener.clone());
        if url.is_https {
            let authority = url.authority.unwrap_or_default();
            let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
            connection.requested_server_name = Some(host.to_ascii_lowercase().into());
            connection.transport_protocol = "tls";
        }
        connection
    }

    /// The head that a client would send by HTTP/1.1.
    pub fn head(&self) -> Result<Vec<u8>, CheckError> {
        let url = Url::of(&self.url, &self.method);
        let named =
            |wanted: &str| self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
        let words = [&self.method, &self.url].into_iter();
        let mut words = words.chain(self.headers.iter().flat_map(|(name, value)| [name, value]));
        if let Some(word) = words.find(|word| word.contains(['\r', '\n'])) {
            return Err(CheckError(format!("{word:?} holds the end of a line")));
        }
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, url.target);
        match url.authority {
            Some(authority) if !named("host") => head += &format!("host: {authority}\r\n"),
            None if !named("host") => {
                let url = &self.url;
                return Err(CheckError(format!(
                    "'{url}' names no host; write a URL such as http://shop.example/items, or give the header 'host'"
                )));
            }
            _ => {}
        }
        if url.is_https && !named("x-forwarded-proto") {
            head += "x-forwarded-proto: https\r\n";
        }
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += "\r\n";
        Ok(head.into_bytes())
    }
}

impl<'u> Url<'u> {
    fn of(url: &'u str, method: &str) -> Self {
        if method == "CONNECT" {
            return Self { is_https: false, authority: Some(url), target: url };
        }
        let (is_https, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Self { is_https: false, authority: None, target: url },
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let target = if rest.len() == end { "/" } else { &rest[end..] };
        Self { is_https, authority: Some(&rest[..end]), target }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(method: &str, url: &str, headers: &[(&str, &str)]) -> Question {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Question {
            method: method.into(),
            url: url.into(),
            headers: headers.iter().map(owned).collect(),
            listener: None,
            client: CLIENT,
            random: 0,
        }
    }

    fn head(method: &str, url: &str, headers: &[(&str, &str)]) -> String {
        let head = question(method, url, headers).head().expect("can be asked");
        String::from_utf8(head).expect("text")
    }

    #[test]
    fn a_url_becomes_a_head() {
        assert_eq!(head("GET", "http://a:81/b?c", &[]), "GET /b?c HTTP/1.1\r\nhost: a:81\r\n\r\n");
        assert_eq!(head("GET", "http://a", &[]), "GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        assert_eq!(
            head("GET", "https://a/", &[("x", "1")]),
            "GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-proto: https\r\nx: 1\r\n\r\n"
        );
        assert_eq!(head("GET", "/b", &[("Host", "a")]), "GET /b HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(head("CONNECT", "a:443", &[]), "CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n");
    }

    #[test]
    fn the_port_is_the_urls() {
        for (url, port) in [("http://a/", 80), ("https://a/", 443), ("http://[::1]:8080/", 8080)] {
            assert_eq!(question("GET", url, &[]).port(), port, "{url}");
        }
    }

    #[test]
    fn what_is_no_request_is_refused() {
        assert!(question("GET", "/b", &[]).head().is_err());
        assert!(question("GET", "http://a/", &[("x", "1\r\ny: 2")]).head().is_err());
    }
}
