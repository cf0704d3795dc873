//! `envoy.extensions.filters.http.basic_auth.v3`.

use std::collections::HashMap;
use std::fmt::{self, Debug, Formatter};

use envoy_types::pb::envoy::extensions::filters::http::basic_auth::v3 as wire;

use crate::data_source::{self, DataSource};
use crate::report::{At, Note};

/// `envoy.extensions.filters.http.basic_auth.v3.BasicAuth`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BasicAuth {
    /// `users`, required.
    pub users: Users,
    /// `forward_username_header`: where the upstream is told the user's name; empty means nowhere.
    pub forward_username_header: String,
    /// `authentication_header`, lower case, default `authorization`.
    pub authentication_header: String,
    /// `allow_missing`, default false: requests without credentials of this scheme pass.
    pub allow_missing: bool,
}

/// `users`: a file as `htpasswd -s` writes it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Users {
    /// By name: SHA-1 of the password in base64.
    hashes: HashMap<String, String>,
}

/// The length of SHA-1 in base64.
const HASH_LEN: usize = 28;

impl BasicAuth {
    pub(super) fn from_wire(wire: &wire::BasicAuth, at: &At<'_>) -> Option<Self> {
        let header = wire.authentication_header.to_ascii_lowercase();
        Some(Self {
            users: Users::from_wire(wire.users.as_ref(), at)?,
            forward_username_header: wire.forward_username_header.to_ascii_lowercase(),
            authentication_header: match header.is_empty() {
                true => "authorization".to_owned(),
                false => header,
            },
            allow_missing: wire.allow_missing,
        })
    }
}

impl Users {
    /// Reads the field `users`.
    pub(super) fn from_wire(wire: Option<&DataSource>, at: &At<'_>) -> Option<Self> {
        let Some(source) = wire else {
            at.error_at_key("'users' is required");
            return None;
        };
        let at = at.field("users");
        let text = data_source::read_text(source, &at)?;
        let mut hashes = HashMap::new();
        // A carriage return is part of its line, as in Envoy.
        for (number, line) in (1..).zip(text.split('\n')) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match user(line) {
                Err(reason) => at.error(
                    Note::from(format!("line {number}: {reason}"))
                        .help("write lines as 'htpasswd -s' does: user:{SHA}hash"),
                ),
                Ok((name, hash)) => {
                    if hashes.insert(name.to_owned(), hash.to_owned()).is_some() {
                        at.error(
                            Note::from(format!("line {number}: the user is there twice"))
                                .help("remove one of the lines"),
                        );
                    }
                }
            }
        }
        Some(Self { hashes })
    }

    /// What the password of `name` is hashed to, in base64.
    pub fn hash_of(&self, name: &str) -> Option<&str> {
        self.hashes.get(name).map(String::as_str)
    }
}

/// The name and the hash in a line. Reasons do not show it: it is a secret.
fn user(line: &str) -> Result<(&str, &str), &'static str> {
    let (name, hash) = line.split_once(':').ok_or("expected a user name, ':' and a hash")?;
    if name.is_empty() || hash.is_empty() {
        return Err("the user name or the hash is empty");
    }
    let hash = hash.strip_prefix("{SHA}").ok_or("the hash must be one of SHA-1: {SHA}")?;
    if hash.len() != HASH_LEN {
        return Err("the hash must have 28 characters");
    }
    Ok((name, hash))
}

impl Debug for Users {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} users", self.hashes.len())
    }
}
