//! What a case looked like from outside the proxy.

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter, Write};

use crate::admin::Stats;

/// Everything that is compared. Text is normalised: ports by name, times and identifiers by shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// What the client received.
    pub client: String,
    /// What the upstream received.
    pub upstream: String,
    /// What the upstream of `{{mirror}}` received.
    pub mirror: String,
    /// The lines of the access log in Envoy's default format.
    pub log: String,
    /// The lines of an access log that tells details, route, cluster and addresses.
    pub details: String,
    /// The lines of the logs that the case itself configures: `<name>.text` and `<name>.json`.
    pub own_logs: String,
    /// The compared stats.
    pub stats: Stats,
}

impl Observation {
    fn sections(&self) -> [(&'static str, &str); 6] {
        [
            ("client", &self.client),
            ("upstream", &self.upstream),
            ("mirror", &self.mirror),
            ("log", &self.log),
            ("details", &self.details),
            ("own logs", &self.own_logs),
        ]
    }

    /// How `other` differs, for people; `None` when it does not.
    pub fn difference(&self, other: &Self) -> Option<String> {
        let mut text = String::new();
        for ((title, ours), (_, theirs)) in self.sections().into_iter().zip(other.sections()) {
            if ours != theirs {
                let _ = write!(text, "{title}, envoy:\n{ours}{title}, ringmain:\n{theirs}");
            }
        }
        let names: BTreeSet<&String> = self.stats.keys().chain(other.stats.keys()).collect();
        for name in names {
            let (ours, theirs) = (self.stats.get(name), other.stats.get(name));
            if ours != theirs {
                let shown =
                    |value: Option<&String>| value.map_or("absent".to_owned(), String::clone);
                let _ = writeln!(
                    text,
                    "stat {name}: envoy {}, ringmain {}",
                    shown(ours),
                    shown(theirs)
                );
            }
        }
        (!text.is_empty()).then_some(text)
    }
}

impl Display for Observation {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        for (title, text) in self.sections() {
            write!(f, "{title}:\n{text}")?;
        }
        for (name, value) in self.stats.iter().filter(|(_, value)| *value != "0") {
            writeln!(f, "stat {name}: {value}")?;
        }
        Ok(())
    }
}
