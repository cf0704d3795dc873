//! Addresses, as admin writes them in JSON (`envoy.config.core.v3.Address`).

use ringmain_config::address::Address;
use serde_json::{Value, json};

/// `address` as a message.
pub fn address_json(address: &Address) -> Value {
    match address {
        Address::Socket(address) => json!({ "socket_address": {
            "address": address.ip().to_string(),
            "port_value": address.port(),
        }}),
        Address::Pipe(path) => json!({ "pipe": { "path": &**path } }),
    }
}
