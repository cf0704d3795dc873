//! The last good set of hosts, on disk over a restart (`snapshot_path`).

use std::fs;
use std::io;
use std::path::Path;

use ringmain_config::cluster::HealthStatus;
use ringmain_config::locality::Locality;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cluster::HostDescription;
use crate::discovery::report::unix_now;

/// Of the file's form; another one is not read.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct File {
    version: u32,
    cluster: String,
    saved_unix: u64,
    hosts: Vec<SavedHost>,
}

#[derive(Serialize, Deserialize)]
struct SavedHost {
    identity: String,
    address: std::net::SocketAddr,
    weight: u32,
    region: String,
    zone: String,
    metadata: std::collections::BTreeMap<String, Value>,
    #[serde(default)]
    unhealthy: bool,
}

/// Writes the hosts of `cluster`, whole or not at all.
pub fn save(path: &Path, cluster: &str, hosts: &[HostDescription]) -> io::Result<()> {
    let file = File {
        version: VERSION,
        cluster: cluster.to_owned(),
        saved_unix: unix_now(),
        hosts: hosts.iter().filter_map(SavedHost::new).collect(),
    };
    let text = serde_json::to_vec_pretty(&file)?;
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".tmp");
    fs::write(&unfinished, text)?;
    fs::rename(&unfinished, path)
}

/// The hosts of `cluster` as last saved; none where there is no file yet.
pub fn load(path: &Path, cluster: &str) -> io::Result<Vec<HostDescription>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let file: File = serde_json::from_slice(&text)?;
    if file.version != VERSION || file.cluster != cluster {
        return Err(io::Error::other(format!(
            "it is version {} of cluster '{}', not version {VERSION} of '{cluster}'",
            file.version, file.cluster
        )));
    }
    Ok(file.hosts.into_iter().map(SavedHost::into_host).collect())
}

impl SavedHost {
    /// `None` for a Unix socket, which nobody discovers.
    fn new(host: &HostDescription) -> Option<Self> {
        Some(Self {
            identity: host.identity.clone(),
            address: host.address.socket()?,
            weight: host.weight,
            region: host.locality.region.clone(),
            zone: host.locality.zone.clone(),
            metadata: host.metadata.clone(),
            unhealthy: host.health_status == HealthStatus::Unhealthy,
        })
    }

    fn into_host(self) -> HostDescription {
        let Self { identity, address, weight, region, zone, metadata, unhealthy } = self;
        let host = HostDescription::new(address);
        let locality = Locality { region, zone, sub_zone: String::new() };
        let health_status = if unhealthy { HealthStatus::Unhealthy } else { host.health_status };
        HostDescription { identity, weight, locality, metadata, health_status, ..host }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_is_loaded() {
        let folder = std::env::temp_dir().join(format!("ringmain-snapshot-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder for temporary files");
        let path = folder.join("hosts.json");
        let hosts = vec![HostDescription {
            identity: "task#80".into(),
            weight: 3,
            locality: Locality { zone: "a".into(), ..Locality::default() },
            metadata: [("ecs.family".to_owned(), Value::from("web"))].into(),
            health_status: HealthStatus::Unhealthy,
            ..HostDescription::new(std::net::SocketAddr::from(([10, 0, 0, 1], 80)))
        }];
        assert_eq!(load(&path, "web").expect("no file is no fault"), []);
        save(&path, "web", &hosts).expect("the folder is writable");
        assert_eq!(load(&path, "web").expect("a snapshot"), hosts);
        assert!(load(&path, "other").is_err());
        fs::write(&path, "{").expect("the folder is writable");
        assert!(load(&path, "web").is_err());
        fs::remove_dir_all(&folder).expect("the folder is ours");
    }
}
