//! `envoy.extensions.filters.http.compressor.v3`: which responses are compressed, and how.

mod library;

use envoy_types::pb::envoy::extensions::filters::http::compressor::v3 as wire;
use wire::compressor::{CommonDirectionConfig, RequestDirectionConfig};
use wire::compressor_per_route::Override;

pub use self::library::{Brotli, BrotliMode, CompressorLibrary, Gzip};
use crate::matcher::StringMatcher;
use crate::report::{At, Note};
use crate::runtime::is_enabled;

/// `min_content_length` of a filter that says nothing of it, bytes.
const MIN_CONTENT_LENGTH: u32 = 30;

/// `content_type` of a filter that says nothing of it.
const CONTENT_TYPES: [&str; 20] = [
    "text/html",
    "text/plain",
    "text/css",
    "application/javascript",
    "application/x-javascript",
    "text/javascript",
    "text/x-javascript",
    "text/ecmascript",
    "text/js",
    "text/jscript",
    "text/x-js",
    "application/ecmascript",
    "application/x-json",
    "application/xml",
    "application/json",
    "image/svg+xml",
    "text/xml",
    "application/xhtml+xml",
    "application/grpc-web",
    "application/grpc-web+proto",
];

/// `envoy.extensions.filters.http.compressor.v3.Compressor`.
#[derive(Debug, Clone)]
pub struct Compressor {
    /// `compressor_library.name`, a part of the names of its stats.
    pub library_name: String,
    /// `compressor_library.typed_config`.
    pub library: CompressorLibrary,
    /// `choose_first`, default false: where a client likes several encodings best, this one is taken.
    pub choose_first: bool,
    /// Whether `response_direction_config` is there, which is told by the names of the stats.
    pub has_response_direction: bool,
    /// `response_direction_config`, or the older fields that stand for it.
    pub response: ResponseDirection,
}

/// `Compressor.ResponseDirectionConfig`.
#[derive(Debug, Clone)]
pub struct ResponseDirection {
    /// `common_config.enabled`, default true.
    pub enabled: bool,
    /// `common_config.min_content_length`, default 30: shorter bodies stay as they are.
    pub min_content_length: u64,
    /// `common_config.content_type` or `content_type_matcher`.
    pub content_types: ContentTypes,
    /// `disable_on_etag_header`, default false: responses with an `etag` stay as they are.
    pub disable_on_etag_header: bool,
    /// `weaken_etag_on_compress`, default false: a strong `etag` goes.
    pub weaken_etag_on_compress: bool,
    /// `remove_accept_encoding_header`, default false.
    pub remove_accept_encoding_header: bool,
    /// `uncompressible_response_codes`.
    pub uncompressible_response_codes: Vec<u16>,
    /// `status_header_enabled`, default false: `x-envoy-compression-status` tells what was done.
    pub status_header_enabled: bool,
}

/// The types of content that are compressed.
#[derive(Debug, Clone)]
pub enum ContentTypes {
    /// `content_type`, whose case does not matter.
    Listed(Vec<String>),
    /// `content_type_matcher`: one of them has to match.
    Matching(Vec<StringMatcher>),
}

/// `envoy.extensions.filters.http.compressor.v3.CompressorPerRoute`.
#[derive(Debug, Clone, Default)]
pub struct CompressorPerRoute {
    /// Whether responses are compressed, where the route says it: `disabled`, or the presence of
    /// `overrides.response_direction_config`.
    pub response_enabled: Option<bool>,
    /// `overrides.response_direction_config.remove_accept_encoding_header`.
    pub remove_accept_encoding_header: Option<bool>,
    /// `overrides.compressor_library`.
    pub library: Option<CompressorLibrary>,
}

impl Compressor {
    #[expect(deprecated, reason = "the older fields count where the newer are absent")]
    pub(super) fn from_wire(wire: &wire::Compressor, at: &At<'_>) -> Option<Self> {
        refuse_request_direction(wire.request_direction_config.as_ref(), at);
        // The field rules have seen to its presence.
        let library = wire.compressor_library.as_ref()?;
        let at_library = at.field("compressor_library");
        let response = match &wire.response_direction_config {
            Some(direction) => {
                warn_of_older_fields(wire, at);
                let common = direction.common_config.clone().unwrap_or_default();
                let at = at.field("response_direction_config");
                let codes = direction.uncompressible_response_codes.iter();
                ResponseDirection {
                    disable_on_etag_header: direction.disable_on_etag_header,
                    weaken_etag_on_compress: direction.weaken_etag_on_compress,
                    remove_accept_encoding_header: direction.remove_accept_encoding_header,
                    uncompressible_response_codes: codes
                        .filter_map(|code| u16::try_from(*code).ok())
                        .collect(),
                    status_header_enabled: direction.status_header_enabled,
                    ..ResponseDirection::new(&common, &at.field("common_config"))
                }
            }
            None => ResponseDirection {
                disable_on_etag_header: wire.disable_on_etag_header,
                remove_accept_encoding_header: wire.remove_accept_encoding_header,
                ..ResponseDirection::new(&older_common_config(wire), at)
            },
        };
        Some(Self {
            library_name: library.name.clone(),
            library: CompressorLibrary::from_wire(library, &at_library)?,
            choose_first: wire.choose_first,
            has_response_direction: wire.response_direction_config.is_some(),
            response,
        })
    }
}

/// The older fields count only where there is no `response_direction_config`.
#[expect(deprecated, reason = "these are the older fields")]
fn warn_of_older_fields(wire: &wire::Compressor, at: &At<'_>) {
    for (name, is_set) in [
        ("content_length", wire.content_length.is_some()),
        ("content_type", !wire.content_type.is_empty()),
        ("disable_on_etag_header", wire.disable_on_etag_header),
        ("remove_accept_encoding_header", wire.remove_accept_encoding_header),
        ("runtime_enabled", wire.runtime_enabled.is_some()),
    ] {
        if is_set {
            at.field(name).warn(
                Note::from(format!("'{name}' has no effect beside 'response_direction_config'"))
                    .help("move it into 'response_direction_config'"),
            );
        }
    }
}

/// Requests are not compressed: what would have them so is refused, what is switched off is not.
fn refuse_request_direction(wire: Option<&RequestDirectionConfig>, at: &At<'_>) {
    let Some(wire) = wire else { return };
    let enabled = wire.common_config.as_ref().and_then(|common| common.enabled.as_ref());
    if is_enabled(enabled, at) {
        let note = Note::from(
            "'request_direction_config' that is enabled is known to Envoy, not supported by ringmain",
        );
        at.field("request_direction_config").error_at_key(
            note.help("write common_config: { enabled: { default_value: false } }".to_owned()),
        );
    }
}

#[expect(deprecated, reason = "these are the older fields")]
fn older_common_config(wire: &wire::Compressor) -> CommonDirectionConfig {
    CommonDirectionConfig {
        enabled: wire.runtime_enabled.clone(),
        min_content_length: wire.content_length,
        content_type: wire.content_type.clone(),
        content_type_matcher: Vec::new(),
    }
}

impl ResponseDirection {
    /// What `wire` says; the rest as it is where nothing is said.
    fn new(wire: &CommonDirectionConfig, at: &At<'_>) -> Self {
        let length = wire.min_content_length.map_or(0, |length| length.value);
        Self {
            enabled: is_enabled(wire.enabled.as_ref(), at),
            // As in Envoy, 0 is as good as nothing.
            min_content_length: if length > 0 { length } else { MIN_CONTENT_LENGTH }.into(),
            content_types: ContentTypes::from_wire(wire, at),
            disable_on_etag_header: false,
            weaken_etag_on_compress: false,
            remove_accept_encoding_header: false,
            uncompressible_response_codes: Vec::new(),
            status_header_enabled: false,
        }
    }
}

impl ContentTypes {
    #[expect(deprecated, reason = "`content_type` counts where there is no matcher")]
    fn from_wire(wire: &CommonDirectionConfig, at: &At<'_>) -> Self {
        if !wire.content_type_matcher.is_empty() {
            if !wire.content_type.is_empty() {
                at.field("content_type").warn(
                    Note::from("no effect beside 'content_type_matcher'")
                        .help("remove 'content_type'"),
                );
            }
            let at = at.field("content_type_matcher");
            let matchers = wire.content_type_matcher.iter().enumerate();
            return Self::Matching(
                matchers
                    .filter_map(|(index, wire)| StringMatcher::from_wire(wire, &at.index(index)))
                    .collect(),
            );
        }
        Self::Listed(match wire.content_type.is_empty() {
            true => CONTENT_TYPES.map(str::to_owned).into(),
            false => wire.content_type.clone(),
        })
    }

    /// Whether content of type `name`, without parameters, is compressed.
    pub fn include(&self, name: &[u8]) -> bool {
        match self {
            Self::Listed(types) => {
                types.iter().any(|listed| listed.as_bytes().eq_ignore_ascii_case(name))
            }
            Self::Matching(matchers) => matchers.iter().any(|matcher| matcher.matches(name)),
        }
    }
}

impl CompressorPerRoute {
    pub(super) fn from_wire(wire: &wire::CompressorPerRoute, at: &At<'_>) -> Self {
        match &wire.r#override {
            Some(Override::Overrides(overrides)) => {
                let response = overrides.response_direction_config.as_ref();
                let at = at.field("overrides");
                let library = overrides.compressor_library.as_ref();
                Self {
                    response_enabled: response.map(|_| true),
                    remove_accept_encoding_header: response
                        .and_then(|response| response.remove_accept_encoding_header)
                        .map(|value| value.value),
                    library: library.and_then(|library| {
                        CompressorLibrary::from_wire(library, &at.field("compressor_library"))
                    }),
                }
            }
            // The field rules have seen to it that it is one of the two, and true.
            Some(Override::Disabled(_)) | None => {
                Self { response_enabled: Some(false), ..Self::default() }
            }
        }
    }
}
