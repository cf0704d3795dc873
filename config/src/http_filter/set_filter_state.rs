//! `envoy.extensions.filters.http.set_filter_state.v3`.

use common::filter_state_value::{Key, Value};
use envoy_types::pb::envoy::extensions::filters::common::set_filter_state::v3 as common;
use envoy_types::pb::envoy::extensions::filters::http::set_filter_state::v3 as wire;

use crate::report::{At, Note};
use crate::substitution_format::{Operator, SubstitutionFormatString};

/// `envoy.extensions.filters.http.set_filter_state.v3.Config`, of the filter or of a level of the routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetFilterState {
    /// `on_request_headers`, in order.
    pub on_request_headers: Vec<FilterStateValue>,
}

/// `envoy.extensions.filters.common.set_filter_state.v3.FilterStateValue`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterStateValue {
    /// `object_key`.
    pub object_key: String,
    /// `factory_key`, default `object_key`.
    pub factory: ObjectFactory,
    /// `format_string`.
    pub format: SubstitutionFormatString,
    /// `skip_if_empty`, default false.
    pub skip_if_empty: bool,
}

/// What a value becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectFactory {
    /// `envoy.string`.
    String,
    /// `envoy.hashable_string`: hash policies find it.
    HashableString,
}

impl SetFilterState {
    pub(super) fn from_wire(wire: &wire::Config, at: &At<'_>) -> Self {
        let at = at.field("on_request_headers");
        let values = wire.on_request_headers.iter().enumerate();
        let values =
            values.filter_map(|(index, wire)| FilterStateValue::from_wire(wire, &at.index(index)));
        Self { on_request_headers: values.collect() }
    }

    /// Every operator in its formats.
    pub fn operators(&self) -> impl Iterator<Item = &Operator> {
        self.on_request_headers.iter().flat_map(|value| value.format.operators())
    }
}

impl FilterStateValue {
    fn from_wire(wire: &common::FilterStateValue, at: &At<'_>) -> Option<Self> {
        // The field rules have seen to the presence of both.
        let Key::ObjectKey(object_key) = wire.key.as_ref()?;
        let Value::FormatString(format) = wire.value.as_ref()?;
        let factory = match wire.factory_key.as_str() {
            "" => ObjectFactory::by_name(object_key, &at.field("object_key")),
            key => ObjectFactory::by_name(key, &at.field("factory_key")),
        };
        let format = SubstitutionFormatString::from_wire(format, &at.field("format_string"));
        Some(Self {
            object_key: object_key.clone(),
            factory: factory?,
            format: format?,
            skip_if_empty: wire.skip_if_empty,
        })
    }
}

impl ObjectFactory {
    fn by_name(name: &str, at: &At<'_>) -> Option<Self> {
        match name {
            "envoy.string" => Some(Self::String),
            "envoy.hashable_string" => Some(Self::HashableString),
            other => {
                let is_envoys = other.starts_with("envoy.");
                let end = if is_envoys { "is not supported by ringmain" } else { "does not exist" };
                at.error(
                    Note::from(format!("object factory '{other}' {end}")).help(
                        "'factory_key' may be envoy.string or envoy.hashable_string".to_owned(),
                    ),
                );
                None
            }
        }
    }
}
