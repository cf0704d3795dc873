//! Session tickets (RFC 8446 §4.6.1, RFC 5077): one set of keys for all workers, which never changes.
//! Keys change by another set, which comes to the workers with another [`super::ServerContext`].

use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use rustls::server::ProducesTickets;
use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

const NAME_BYTES: usize = 16;
const KEY_BYTES: usize = 32;

/// A key and the name that tickets know it by.
struct TicketKey {
    name: [u8; NAME_BYTES],
    key: LessSafeKey,
}

impl TicketKey {
    fn new(name: [u8; NAME_BYTES], key: &[u8; KEY_BYTES]) -> Option<Self> {
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).ok()?);
        Some(Self { name, key })
    }

    fn random() -> Option<Self> {
        let (mut name, mut key) = ([0; NAME_BYTES], [0; KEY_BYTES]);
        rand::fill(&mut name).ok()?;
        rand::fill(&mut key).ok()?;
        Self::new(name, &key)
    }

    /// From `session_ticket_keys`: 16 bytes of name, 32 for signing, 32 for encrypting, of which the
    /// last do here, as encrypting signs too.
    fn from_configured(bytes: &[u8; 80]) -> Option<Self> {
        let name = bytes[..NAME_BYTES].try_into().ok()?;
        Self::new(name, bytes[80 - KEY_BYTES..].try_into().ok()?)
    }
}

/// A set of keys. The first encrypts, all decrypt.
pub(super) struct Tickets {
    keys: Vec<Arc<TicketKey>>,
    lifetime: Duration,
}

impl Tickets {
    /// One key of our own.
    pub(super) fn random(lifetime: Duration) -> Self {
        Self { keys: TicketKey::random().map(Arc::new).into_iter().collect(), lifetime }
    }

    /// Keys that other machines have too.
    pub(super) fn configured(keys: &[[u8; 80]], lifetime: Duration) -> Self {
        let keys = keys.iter().filter_map(TicketKey::from_configured).map(Arc::new);
        Self { keys: keys.collect(), lifetime }
    }

    /// No tickets.
    pub(super) fn disabled() -> Self {
        Self { keys: Vec::new(), lifetime: Duration::ZERO }
    }

    /// The set with a new first key; of the others only the last that encrypted is left.
    pub(super) fn rotated(&self) -> Self {
        let keys = TicketKey::random().map(Arc::new).into_iter();
        Self { keys: keys.chain(self.keys.first().cloned()).collect(), lifetime: self.lifetime }
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        !self.keys.is_empty()
    }

    fn lifetime(&self) -> u32 {
        u32::try_from(self.lifetime.as_secs()).unwrap_or(u32::MAX)
    }

    /// Name, nonce, and what is encrypted.
    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let key = self.keys.first()?;
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).ok()?;
        let mut sealed = plain.to_vec();
        let nonce_used = Nonce::assume_unique_for_key(nonce);
        key.key.seal_in_place_append_tag(nonce_used, Aad::from(key.name), &mut sealed).ok()?;
        Some([&key.name[..], &nonce, &sealed].concat())
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let (name, rest) = ticket.split_at_checked(NAME_BYTES)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN)?;
        let key = self.keys.iter().find(|key| key.name == name)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut plain = sealed.to_vec();
        let length = key.key.open_in_place(nonce, Aad::from(key.name), &mut plain).ok()?.len();
        plain.truncate(length);
        Some(plain)
    }
}

impl Debug for Tickets {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tickets").field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_outlives_one_change_of_keys() {
        let first = Tickets::random(Duration::from_secs(60));
        let ticket = first.encrypt(b"session").expect("there is a key");
        let second = first.rotated();
        assert_eq!(second.decrypt(&ticket).as_deref(), Some(&b"session"[..]));
        assert_eq!(second.rotated().decrypt(&ticket), None);
        assert_ne!(second.encrypt(b"session").expect("a key"), ticket);
    }

    #[test]
    fn what_is_no_ticket_is_refused() {
        let tickets = Tickets::random(Duration::from_secs(60));
        let mut ticket = tickets.encrypt(b"session").expect("there is a key");
        for length in 0..ticket.len() {
            assert_eq!(tickets.decrypt(&ticket[..length]), None);
        }
        *ticket.last_mut().expect("not empty") ^= 1;
        assert_eq!(tickets.decrypt(&ticket), None);
        assert!(!Tickets::disabled().enabled());
    }

    #[test]
    fn machines_with_the_same_keys_understand_each_other() {
        let keys = [[7; 80], [9; 80]];
        let one = Tickets::configured(&keys, Duration::from_secs(60));
        let other = Tickets::configured(&[keys[1], keys[0]], Duration::from_secs(60));
        let ticket = one.encrypt(b"session").expect("there is a key");
        assert_eq!(other.decrypt(&ticket).as_deref(), Some(&b"session"[..]));
    }
}
