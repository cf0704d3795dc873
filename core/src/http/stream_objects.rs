//! Envoy's filter state: objects that filters put on a stream under a key, for others to find.

use crate::listener::ConnectionInfo;

/// The key of the cluster that `sni_cluster` names.
const CLUSTER_KEY: &str = "envoy.tcp_proxy.cluster";

/// The objects of a stream. There are few, if any.
#[derive(Debug, Default)]
pub struct StreamObjects(Vec<(Box<str>, StreamObject)>);

/// An object.
#[derive(Debug)]
pub struct StreamObject {
    /// What it was made of.
    pub text: Vec<u8>,
    /// Whether hash policies find it.
    pub is_hashable: bool,
    /// Whether it can be told as JSON.
    pub is_typed: bool,
}

impl StreamObjects {
    /// Those that network filters have put there.
    pub fn of_connection(connection: &ConnectionInfo) -> Self {
        let mut objects = Self::default();
        if let Some(cluster) = &connection.cluster {
            let text = cluster.as_bytes().to_vec();
            objects.put(CLUSTER_KEY, StreamObject { text, is_hashable: false, is_typed: false });
        }
        objects
    }

    /// Puts `object` under `key`, in place of what was there.
    pub fn put(&mut self, key: &str, object: StreamObject) {
        match self.0.iter_mut().find(|(name, _)| &**name == key) {
            Some((_, old)) => *old = object,
            None => self.0.push((key.into(), object)),
        }
    }

    /// What is under `key`.
    pub fn get(&self, key: &str) -> Option<&StreamObject> {
        self.0.iter().find(|(name, _)| &**name == key).map(|(_, object)| object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_object_of_a_key_counts() {
        let mut objects = StreamObjects::default();
        for text in ["a", "b"] {
            objects
                .put("k", StreamObject { text: text.into(), is_hashable: false, is_typed: true });
        }
        assert_eq!(objects.get("k").map(|object| &*object.text), Some(&b"b"[..]));
        assert!(objects.get("l").is_none());
    }
}
