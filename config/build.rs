//! Takes Envoy's descriptor set out of the `envoy-types` package, adds our own messages and some that
//! it lacks, and leaves a copy without source positions and comments (a fifth of the size) in
//! `OUT_DIR`, where `schema.rs` embeds it. For those messages it also makes Rust types.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use protox::Compiler;
use protox::file::{ChainFileResolver, DescriptorSetFileResolver, IncludeFileResolver};
use serde_json::Value;

/// Where our own messages are.
const PROTO_FOLDER: &str = "proto";
const PROTO_FILES: [&str; 4] = [
    "ringmain/clusters/cloud_map/v1/cloud_map_cluster.proto",
    "ringmain/clusters/ecs/v1/ecs_cluster.proto",
    "xds/type/matcher/v3/cel.proto",
    "xds/type/matcher/v3/ip.proto",
];
/// What there are Rust types of, of all that they import.
const EXTERN_PATHS: [(&str, &str); 7] = [
    (".google.protobuf.Duration", "::envoy_types::pb::google::protobuf::Duration"),
    (".xds.core.v3", "::envoy_types::pb::xds::core::v3"),
    (".xds.type.v3.CelExpression", "::envoy_types::pb::xds::r#type::v3::CelExpression"),
    (".xds.type.matcher.v3.Matcher", "::envoy_types::pb::xds::r#type::matcher::v3::Matcher"),
    (
        ".xds.type.matcher.v3.RegexMatcher",
        "::envoy_types::pb::xds::r#type::matcher::v3::RegexMatcher",
    ),
    (
        ".xds.type.matcher.v3.StringMatcher",
        "::envoy_types::pb::xds::r#type::matcher::v3::StringMatcher",
    ),
    // Where a message lies within another, the longer name wins.
    (
        ".xds.type.matcher.v3.Matcher.OnMatch",
        "::envoy_types::pb::xds::r#type::matcher::v3::matcher::OnMatch",
    ),
];

/// `google.protobuf.FileDescriptorSet.file`.
const FILE: u64 = 1;
/// `google.protobuf.FileDescriptorProto.source_code_info`.
const SOURCE_CODE_INFO: u64 = 9;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=Cargo.toml");
    println!("cargo::rerun-if-changed={PROTO_FOLDER}");
    let path = envoy_types_folder().join("src/generated/types.bin");
    let set =
        fs::read(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    let out = Path::new(&variable("OUT_DIR")).join("envoy-descriptors.bin");
    let mut descriptors = without_source_info(&set);
    // Descriptor sets are one behind the other what they are together.
    descriptors.extend(without_source_info(&compile_own_messages(&set)));
    fs::write(&out, descriptors).expect("OUT_DIR is writable");
}

/// Compiles our `.proto` files, which import from Envoy's, to Rust types in `OUT_DIR` and to an
/// encoded descriptor set.
fn compile_own_messages(envoy: &[u8]) -> Vec<u8> {
    let mut resolver = ChainFileResolver::new();
    resolver.add(IncludeFileResolver::new(PROTO_FOLDER.into()));
    let envoy = DescriptorSetFileResolver::decode(envoy).expect("Envoy's descriptors are whole");
    resolver.add(envoy);
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_source_info(false);
    compiler
        .open_files(PROTO_FILES)
        .unwrap_or_else(|error| panic!("our own messages do not compile: {error:?}"));
    let mut types = prost_build::Config::new();
    for (message, path) in EXTERN_PATHS {
        types.extern_path(message, path);
    }
    types
        .enable_type_names()
        .compile_fds(compiler.include_imports(true).file_descriptor_set())
        .expect("our own messages become Rust types");
    // What they import is in Envoy's set.
    compiler.include_imports(false).encode_file_descriptor_set()
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name} for build scripts"))
}

/// The folder of the `envoy-types` sources, wherever cargo keeps them (registry, vendored, patched).
fn envoy_types_folder() -> PathBuf {
    // Offline first: what this build compiles is already here. The network is only needed where
    // other members of the workspace have dependencies that nothing has fetched yet.
    let metadata = metadata(&["--offline"]).or_else(|_| metadata(&[])).unwrap_or_else(|error| {
        panic!("`cargo metadata` does not tell where envoy-types is: {error}")
    });
    let manifest = metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|package| package["name"] == "envoy-types")
        .and_then(|package| package["manifest_path"].as_str())
        .expect("envoy-types is a dependency of this package");
    Path::new(manifest).parent().expect("a manifest lies in a folder").to_owned()
}

fn metadata(more: &[&str]) -> Result<Value, String> {
    let output = Command::new(variable("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--filter-platform"])
        .arg(variable("TARGET"))
        .args(more)
        .current_dir(variable("CARGO_MANIFEST_DIR"))
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())
}

/// Copies a `FileDescriptorSet`. This works on the encoding itself, because the decoded types of
/// prost would lose the options (Envoy's validation rules) as unknown extensions.
fn without_source_info(set: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(set.len() / 4);
    for (number, whole, payload) in Fields(set) {
        assert_eq!(number, FILE, "a FileDescriptorSet holds files only");
        let kept: Vec<u8> = Fields(payload)
            .filter(|(number, ..)| *number != SOURCE_CODE_INFO)
            .flat_map(|(_, whole, _)| whole.iter().copied())
            .collect();
        out.push(whole[0]);
        put_varint(&mut out, kept.len() as u64);
        out.extend(kept);
    }
    out
}

/// The fields of an encoded message, as number, whole field, and payload of a length-delimited one.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = (u64, &'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let start = self.0;
        let tag = take_varint(&mut self.0);
        let payload = match tag & 7 {
            0 => {
                take_varint(&mut self.0);
                &[][..]
            }
            2 => {
                let length = take_varint(&mut self.0) as usize;
                let (payload, rest) = self.0.split_at(length);
                self.0 = rest;
                payload
            }
            kind => panic!("descriptors hold no fields of wire type {kind}"),
        };
        Some((tag >> 3, &start[..start.len() - self.0.len()], payload))
    }
}

fn take_varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let (byte, rest) = bytes.split_first().expect("the descriptor set is whole");
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
