//! How the client's address is found where it is not the peer's
//! (`envoy.extensions.http.original_ip_detection`).

use envoy_types::pb::envoy::config::core::v3::TypedExtensionConfig;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;
use envoy_types::pb::envoy::extensions::http::original_ip_detection as wire;
use wire::custom_header::v3::CustomHeaderConfig;
use wire::xff::v3::XffConfig;

use crate::address::CidrRange;
use crate::report::{At, Note};
use crate::wire::unpack;

/// One of `original_ip_detection_extensions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OriginalIpDetection {
    /// `envoy.http.original_ip_detection.xff`.
    Xff(XffDetection),
    /// `envoy.http.original_ip_detection.custom_header`.
    CustomHeader(CustomHeaderDetection),
}

/// `envoy.extensions.http.original_ip_detection.xff.v3.XffConfig`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XffDetection {
    /// `xff_num_trusted_hops`, default 0.
    pub xff_num_trusted_hops: u32,
    /// `xff_trusted_cidrs.cidrs`: where there are any, they take the place of a number of hops.
    pub xff_trusted_cidrs: Vec<CidrRange>,
    /// `skip_xff_append`, default true.
    pub skip_xff_append: bool,
}

/// `envoy.extensions.http.original_ip_detection.custom_header.v3.CustomHeaderConfig`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomHeaderDetection {
    /// `header_name`, lower case.
    pub header_name: String,
    /// `allow_extension_to_set_address_as_trusted`, default false: the address may make the request an
    /// internal one.
    pub allow_extension_to_set_address_as_trusted: bool,
    /// `reject_with_status`: the status for requests without an address; 403 where it is no error.
    pub reject_with_status: Option<u16>,
}

impl OriginalIpDetection {
    /// Reads the field `original_ip_detection_extensions` of `wire`, which `at` stands for.
    pub(crate) fn list_from_wire(wire: &HttpConnectionManager, at: &At<'_>) -> Vec<Self> {
        let extensions = &wire.original_ip_detection_extensions;
        let at = at.field("original_ip_detection_extensions");
        if extensions.is_empty() {
            return Vec::new();
        }
        for (field, is_set) in [
            ("use_remote_address", wire.use_remote_address.is_some_and(|used| used.value)),
            ("xff_num_trusted_hops", wire.xff_num_trusted_hops > 0),
        ] {
            if is_set {
                at.error_at_key(
                    Note::from(format!(
                        "'original_ip_detection_extensions' cannot be set together with '{field}'"
                    ))
                    .help("remove one of the two"),
                );
            }
        }
        let extensions = extensions.iter().enumerate();
        extensions.filter_map(|(index, wire)| Self::from_wire(wire, &at.index(index))).collect()
    }

    fn from_wire(wire: &TypedExtensionConfig, at: &At<'_>) -> Option<Self> {
        // The field rules have seen to its presence.
        let any = wire.typed_config.as_ref()?;
        let at = at.field("typed_config");
        if let Some(wire) = unpack(any) {
            Some(Self::Xff(XffDetection::from_wire(&wire, &at)))
        } else if let Some(wire) = unpack(any) {
            Some(Self::CustomHeader(CustomHeaderDetection::from_wire(&wire)))
        } else {
            at.error_at_key(Note::from("this finds no client's address").help(
                "use the Xff or CustomHeader of envoy.extensions.http.original_ip_detection",
            ));
            None
        }
    }
}

impl XffDetection {
    fn from_wire(wire: &XffConfig, at: &At<'_>) -> Self {
        let cidrs = wire.xff_trusted_cidrs.as_ref().map_or(&[][..], |trusted| &trusted.cidrs);
        if wire.xff_num_trusted_hops > 0 && wire.xff_trusted_cidrs.is_some() {
            at.field("xff_trusted_cidrs").error_at_key(
                Note::from(
                    "'xff_trusted_cidrs' cannot be set together with 'xff_num_trusted_hops'",
                )
                .help("remove one of the two"),
            );
        }
        let cidrs_at = at.field("xff_trusted_cidrs");
        let cidrs_at = cidrs_at.field("cidrs");
        let cidrs = cidrs.iter().enumerate();
        Self {
            xff_num_trusted_hops: wire.xff_num_trusted_hops,
            xff_trusted_cidrs: cidrs
                .filter_map(|(index, cidr)| CidrRange::from_wire(cidr, &cidrs_at.index(index)))
                .collect(),
            skip_xff_append: wire.skip_xff_append.is_none_or(|skip| skip.value),
        }
    }
}

impl CustomHeaderDetection {
    fn from_wire(wire: &CustomHeaderConfig) -> Self {
        let status = |code| u16::try_from(code).ok().filter(|code| (400..=511).contains(code));
        Self {
            header_name: wire.header_name.to_ascii_lowercase(),
            allow_extension_to_set_address_as_trusted: wire
                .allow_extension_to_set_address_as_trusted,
            reject_with_status: wire
                .reject_with_status
                .map(|rejection| status(rejection.code).unwrap_or(403)),
        }
    }
}
