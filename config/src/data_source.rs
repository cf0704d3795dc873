//! Content given in the file, by the name of another file, or by an environment variable
//! (`envoy.config.core.v3.DataSource`).

use std::env;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use envoy_types::pb::envoy::config::core::v3 as wire;
use wire::data_source::Specifier;

pub(crate) use wire::DataSource;

use crate::report::{At, Note};

/// The greatest content read from a file, in bytes; far above what any field takes.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The content, or `None` if it cannot be had.
pub(crate) fn read(wire: &wire::DataSource, at: &At<'_>) -> Option<Vec<u8>> {
    match wire.specifier.as_ref()? {
        Specifier::InlineString(text) => Some(text.clone().into_bytes()),
        Specifier::InlineBytes(bytes) => Some(bytes.clone()),
        Specifier::Filename(path) => read_file(path, &at.field("filename")),
        Specifier::EnvironmentVariable(name) => {
            let value = env::var_os(name);
            if value.is_none() {
                let at = at.field("environment_variable");
                at.error(
                    Note::from(format!("environment variable '{name}' is not set"))
                        .help("set it for the process, or use 'inline_string'"),
                );
            }
            value.map(|value| value.into_encoded_bytes())
        }
    }
}

/// The same for content that has to be text.
pub(crate) fn read_text(wire: &wire::DataSource, at: &At<'_>) -> Option<String> {
    let text = String::from_utf8(read(wire, at)?);
    text.map_err(|_| at.error("is not UTF-8 text")).ok()
}

/// The text in the file at `path`, which is `at`.
pub(crate) fn read_text_file(path: &str, at: &At<'_>) -> Option<String> {
    let text = String::from_utf8(read_file(path, at)?);
    text.map_err(|_| at.error(format!("'{path}' is not UTF-8 text"))).ok()
}

/// How people know the content: its path, or that it stands in the configuration.
pub(crate) fn origin(wire: Option<&DataSource>) -> String {
    match wire.and_then(|wire| wire.specifier.as_ref()) {
        Some(Specifier::Filename(path)) => path.clone(),
        _ => "<inline>".to_owned(),
    }
}

/// The file that holds the content, if one does.
pub(crate) fn file(wire: &DataSource) -> Option<PathBuf> {
    match wire.specifier.as_ref()? {
        Specifier::Filename(path) => Some(PathBuf::from(path)),
        _ => None,
    }
}

fn cure(path: &str, error: &io::Error) -> Option<String> {
    match (error.kind(), env::current_dir()) {
        (ErrorKind::NotFound, Ok(here)) if Path::new(path).is_relative() => {
            Some(format!("the path begins where ringmain was started, in {}", here.display()))
        }
        (ErrorKind::NotFound, _) => Some("put the file there, or write where it is".to_owned()),
        (ErrorKind::PermissionDenied, _) => {
            Some("let the user that ringmain runs as read it".to_owned())
        }
        _ => None,
    }
}

fn read_file(path: &str, at: &At<'_>) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut content));
    match read {
        Err(error) => {
            let note = Note::from(format!("cannot read '{path}': {error}"));
            at.error(note.help_if_known(cure(path, &error)));
        }
        Ok(_) if content.len() as u64 > FILE_BYTES_MAX => {
            at.error(format!("'{path}' is larger than {FILE_BYTES_MAX} bytes"));
        }
        Ok(_) => return Some(content),
    }
    None
}
