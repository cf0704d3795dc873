//! `metadata_match`: what a route wants of the metadata of the host that it is sent to.
//!
//! Subsets of a cluster's hosts are looked up by [`MatchCriteria::key`], which is written at load so
//! that a request writes none, unless filters have noted criteria of its own.

use std::collections::BTreeMap;

use envoy_types::pb::envoy::config::core::v3 as wire;
use serde_json::Value;

use crate::metadata::lb_metadata;

/// The criterion that holds others to try one after the other (`FALLBACK_LIST`).
const FALLBACK_LIST: &str = "fallback_list";

/// Values that metadata must have, by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MatchCriteria {
    /// In the order of their names.
    criteria: Vec<Criterion>,
    key: String,
    fallbacks: Option<Vec<MatchCriteria>>,
}

/// One name with the value it must have.
#[derive(Debug, Clone, PartialEq)]
pub struct Criterion {
    /// The name, unique among its criteria.
    pub name: String,
    /// The value.
    pub value: Value,
    /// Its part of the key.
    text: String,
}

impl Criterion {
    /// A criterion.
    pub fn new(name: &str, value: &Value) -> Self {
        let text = format!("{}:{value},", Value::from(name));
        Self { name: name.to_owned(), value: value.clone(), text }
    }

    /// Its part of the key of its criteria.
    pub fn key_part(&self) -> &str {
        &self.text
    }
}

impl MatchCriteria {
    /// No criteria.
    pub const NONE: Self = Self { criteria: Vec::new(), key: String::new(), fallbacks: None };

    /// Criteria of these values by name.
    pub fn new(mut fields: BTreeMap<String, Value>) -> Self {
        let list = fields.get(FALLBACK_LIST).cloned();
        let all = Self::plain(&fields);
        let Some(list) = list else { return all };
        fields.remove(FALLBACK_LIST);
        let overridden = |other: &Value| {
            let other = other.as_object().into_iter().flatten();
            let other = other.map(|(name, value)| (name.clone(), value.clone()));
            Self::plain(&fields.clone().into_iter().chain(other).collect())
        };
        let fallbacks: Vec<Self> = match list.as_array() {
            Some(list) if !list.is_empty() => list.iter().map(overridden).collect(),
            _ => vec![Self::plain(&fields)],
        };
        Self { fallbacks: Some(fallbacks), ..all }
    }

    fn plain(fields: &BTreeMap<String, Value>) -> Self {
        let criteria: Vec<Criterion> =
            fields.iter().map(|(name, value)| Criterion::new(name, value)).collect();
        let key = criteria.iter().map(Criterion::key_part).collect();
        Self { criteria, key, fallbacks: None }
    }

    /// Those in `wire`; `outer` holds where this says nothing else. `None` where neither says
    /// anything.
    pub(crate) fn from_wire(wire: Option<&wire::Metadata>, outer: Option<&Self>) -> Option<Self> {
        let own = lb_metadata(wire);
        if own.is_empty() {
            return outer.cloned();
        }
        Some(Self::over(outer, own))
    }

    /// Those of `outer`, and over them `own`: what the metadata of a request have in `envoy.lb`.
    pub fn over(outer: Option<&Self>, own: impl IntoIterator<Item = (String, Value)>) -> Self {
        let outer = outer.into_iter().flat_map(|outer| &outer.criteria);
        let outer = outer.map(|criterion| (criterion.name.clone(), criterion.value.clone()));
        Self::new(outer.chain(own).collect())
    }

    /// In the order of their names.
    pub fn criteria(&self) -> &[Criterion] {
        &self.criteria
    }

    /// The same for the same criteria, and for no others.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What `fallback_list` has tried one after the other in place of these; at least one.
    pub fn fallback_list(&self) -> Option<&[Self]> {
        self.fallbacks.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn criteria(fields: Value) -> MatchCriteria {
        let Value::Object(fields) = fields else { panic!("{fields} is no object") };
        MatchCriteria::new(fields.into_iter().collect())
    }

    #[test]
    fn keys_tell_criteria_apart() {
        assert_eq!(criteria(json!({ "b": 1, "a": "x" })).key(), r#""a":"x","b":1,"#);
        assert_eq!(criteria(json!({})).key(), "");
        let distinct = [
            json!({ "a": "1" }),
            json!({ "a": 1 }),
            json!({ "a": [1] }),
            json!({ "a": "1", "b": true }),
            json!({ "a\":1,\"b": true }),
        ];
        let mut keys: Vec<_> =
            distinct.into_iter().map(|fields| criteria(fields).key().to_owned()).collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 5);
    }

    #[test]
    fn a_fallback_list_overrides_one_by_one() {
        let all =
            criteria(json!({ "a": 1, "fallback_list": [{ "b": 2 }, { "a": 3 }, "no object"] }));
        let keys: Vec<_> =
            all.fallback_list().into_iter().flatten().map(MatchCriteria::key).collect();
        assert_eq!(keys, [r#""a":1,"b":2,"#, r#""a":3,"#, r#""a":1,"#]);
        assert!(all.key().contains("fallback_list"));

        let empty = criteria(json!({ "a": 1, "fallback_list": [] }));
        assert_eq!(empty.fallback_list(), Some(&[criteria(json!({ "a": 1 }))][..]));
        assert_eq!(criteria(json!({ "a": 1 })).fallback_list(), None);
    }
}
