//! Configurations: whatever the text, it is refused with words or read; what is read means the same with
//! its defaults filled in, and as JSON.

use ringmain_config::{LoadError, LoadOptions, effective_yaml};

/// Longer texts only take longer.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// Checks `bytes` as the text of a configuration, as YAML and as JSON.
pub fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(TEXT_BYTES_MAX)]);
    // A configuration may have any file of the system read, which is not what is looked at here.
    if text.contains("file") {
        return;
    }
    for origin in ["envoy.yaml", "envoy.json"] {
        match load(origin, &text) {
            // JSON has numbers that YAML as Envoy reads it has not.
            Ok(effective) if origin == "envoy.yaml" => check_effective(&effective),
            Ok(_) => {}
            Err(error) => check_error(&error),
        }
    }
}

fn load(origin: &str, text: &str) -> Result<String, LoadError> {
    effective_yaml(origin, text, &LoadOptions::default()).map(|(yaml, _)| yaml)
}

fn check_error(error: &LoadError) {
    assert!(!error.diagnostics.is_empty());
    for told in &error.diagnostics {
        assert!(!told.message.is_empty() && told.line > 0 && told.column > 0, "{told}");
    }
    assert!(!error.rendered().is_empty());
}

fn check_effective(effective: &str) {
    let value: serde_json::Value = serde_yaml::from_str(effective).expect("YAML as JSON has it");
    let json = without_raw_control_characters(&value.to_string());
    for (origin, text) in [("envoy.yaml", effective), ("envoy.json", &json)] {
        match load(origin, text) {
            Ok(again) => assert_eq!(again, effective, "{text}"),
            Err(error) => panic!("{error}\n{text}"),
        }
    }
}

/// JSON may have them as they are. ringmain reads it as YAML, which may not, and says so.
fn without_raw_control_characters(json: &str) -> String {
    let is_raw = |c: char| c.is_control() || matches!(c, '\u{feff}' | '\u{fffe}' | '\u{ffff}');
    let escaped = |c: char| if is_raw(c) { format!("\\u{:04x}", u32::from(c)) } else { c.into() };
    json.chars().map(escaped).collect()
}
