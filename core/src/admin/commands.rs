//! All commands: their paths, whether they change something, and what `/help` says of them.

/// A command.
#[derive(Debug)]
pub struct Command {
    /// Its path.
    pub path: &'static str,
    /// Whether it changes something, so that it takes POST only.
    pub mutates: bool,
    /// What it does.
    pub what: &'static str,
    /// Its parameters and what they do.
    pub parameters: &'static [(&'static str, &'static str)],
}

const fn shows(
    path: &'static str,
    what: &'static str,
    parameters: &'static [(&'static str, &'static str)],
) -> Command {
    Command { path, mutates: false, what, parameters }
}

const fn changes(
    path: &'static str,
    what: &'static str,
    parameters: &'static [(&'static str, &'static str)],
) -> Command {
    Command { path, mutates: true, what, parameters }
}

/// In order of path.
pub const COMMANDS: [Command; 29] = [
    shows("/", "Admin home page", &[]),
    changes("/allocprofiler", "allocation profiler (not part of this build)", &[]),
    shows("/certs", "print certs on machine", &[]),
    shows(
        "/clusters",
        "upstream cluster status",
        &[("filter", "Regular expression for cluster names"), ("format", "One of (text, json)")],
    ),
    shows(
        "/config_dump",
        "dump current configs, without secrets",
        &[
            ("resource", "The list of resources to dump, such as static_clusters"),
            ("mask", "The fields to dump, separated by commas; with resource, of each element"),
            ("name_regex", "Regular expression for names of resources"),
            ("include_eds", "Dump the endpoints too"),
        ],
    ),
    shows("/contention", "dump lock contention (workers share no lock)", &[]),
    changes(
        "/cpuprofiler",
        "CPU profiler (not part of this build)",
        &[("enable", "One of (y, n)")],
    ),
    changes(
        "/drain_listeners",
        "drain listeners",
        &[
            (
                "graceful",
                "Close connections by --drain-strategy for --drain-time-s, then listeners",
            ),
            ("skip_exit", "Close connections, but leave the listeners open"),
            ("inboundonly", "Only listeners whose traffic_direction is INBOUND"),
        ],
    ),
    shows(
        "/ecs",
        "print ECS and Cloud Map discovery: pollers, tasks, and why they are in or out",
        &[("format", "One of (text, json)")],
    ),
    changes("/healthcheck/fail", "cause the server to fail health checks", &[]),
    changes("/healthcheck/ok", "cause the server to pass health checks", &[]),
    shows("/heap_dump", "dump current heap (not part of this build)", &[]),
    changes(
        "/heapprofiler",
        "heap profiler (not part of this build)",
        &[("enable", "One of (y, n)")],
    ),
    shows("/help", "print out list of admin commands", &[]),
    shows("/hot_restart_version", "print the hot restart compatibility version", &[]),
    shows("/init_dump", "dump what start-up still waits for", &[]),
    shows("/listeners", "print listener info", &[("format", "One of (text, json)")]),
    changes(
        "/logging",
        "query/change logging levels",
        &[
            ("paths", "Change several: <logger>:<level>,<logger>:<level>"),
            ("level", "Change all; One of (trace, debug, info, warning, error, critical, off)"),
        ],
    ),
    shows("/memory", "print current allocation/heap usage", &[]),
    shows("/peak_heap_dump", "dump peak heap (not part of this build)", &[]),
    changes("/quitquitquit", "drain and exit the server", &[]),
    shows("/ready", "print server state, return 200 if LIVE, otherwise return 503", &[]),
    changes("/reopen_logs", "reopen access logs", &[]),
    changes("/reset_counters", "reset all counters to zero", &[]),
    shows("/runtime", "print runtime values (there are none)", &[]),
    changes("/runtime_modify", "modify runtime values (there is no admin layer)", &[]),
    shows("/server_info", "print server version/status information", &[]),
    shows(
        "/stats",
        "print server stats",
        &[
            ("usedonly", "Only stats that were ever written"),
            ("filter", "Regular expression for names"),
            ("invert_filter", "Those that the filter does not find"),
            ("format", "One of (text, json, prometheus)"),
            ("type", "One of (All, Counters, Histograms, Gauges, TextReadouts)"),
            ("histogram_buckets", "One of (cumulative, disjoint, detailed, summary)"),
        ],
    ),
    shows(
        "/stats/prometheus",
        "print server stats in prometheus format",
        &[
            ("usedonly", "Only stats that were ever written"),
            ("text_readouts", "Text readouts as gauges (there are none)"),
            ("filter", "Regular expression for names"),
            ("invert_filter", "Those that the filter does not find"),
            ("histogram_buckets", "One of (cumulative, summary)"),
        ],
    ),
];

/// The list of all commands.
pub fn help() -> String {
    let mut text = String::from("admin commands are:\n");
    for command in &COMMANDS {
        let method = if command.mutates { " (POST)" } else { "" };
        text.push_str(&format!("  {}{method}: {}\n", command.path, command.what));
        for (name, what) in command.parameters {
            text.push_str(&format!("      {name}: {what}\n"));
        }
    }
    text
}

/// The command at `path`.
pub fn find(path: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_listed_in_order() {
        assert!(COMMANDS.is_sorted_by_key(|command| command.path));
    }
}
