//! What is asked of every side, as a table: a new kind of load is a row here.

use crate::error::Error;

/// One kind of load.
#[derive(Debug)]
pub struct Scenario {
    /// Name on the command line and in the JSON.
    pub name: &'static str,
    /// Name in the table.
    pub title: &'static str,
    /// Bytes of the response body.
    pub response_bytes: usize,
    /// Bytes of the request body; 0 is a GET.
    pub request_bytes: usize,
    /// Connections of the load, each with one request at a time.
    pub connections: u32,
    /// Does each connection carry one request only?
    pub new_connection: bool,
}

/// A keep-alive GET, which the others vary.
const GET: Scenario = Scenario {
    name: "small",
    title: "small GET (128 B)",
    response_bytes: 128,
    request_bytes: 0,
    connections: 64,
    new_connection: false,
};

const ALL: &[Scenario] = &[
    GET,
    Scenario { name: "10k", title: "GET 10 KiB", response_bytes: 10 << 10, ..GET },
    Scenario { name: "1m", title: "GET 1 MiB", response_bytes: 1 << 20, connections: 16, ..GET },
    Scenario { name: "post-10k", title: "POST 10 KiB", request_bytes: 10 << 10, ..GET },
    Scenario {
        name: "post-1m",
        title: "POST 1 MiB",
        request_bytes: 1 << 20,
        connections: 16,
        ..GET
    },
    Scenario {
        name: "new-connection",
        title: "small GET, new connection each",
        new_connection: true,
        ..GET
    },
];

impl Scenario {
    /// Path of the request; the upstream reads the length of its answer from it.
    pub fn path(&self) -> String {
        format!("/bytes/{}", self.response_bytes)
    }
}

/// The scenarios called `names`, in that order.
pub fn by_names(names: &[String]) -> Result<Vec<&'static Scenario>, Error> {
    names.iter().map(|name| by_name(name)).collect()
}

fn by_name(name: &str) -> Result<&'static Scenario, Error> {
    ALL.iter().find(|scenario| scenario.name == name).ok_or_else(|| Error::Unknown {
        kind: "scenario",
        name: name.to_owned(),
        known: ALL.iter().map(|scenario| scenario.name).collect::<Vec<_>>().join(", "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_scenario_is_answered_with_the_known_ones() {
        let error = by_names(&["small".into(), "smal".into()]).unwrap_err();
        let text = "there is no scenario `smal`; there are: small, 10k, 1m, post-10k, post-1m, new-connection";
        assert_eq!(error.to_string(), text);
    }
}
