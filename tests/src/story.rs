//! A scene played with Envoy and with ringmain on each engine: all must tell the same story. For what
//! does not fit into a [`parity`](crate::parity) case, because it is not about HTTP.

use std::fmt::Write;

use crate::normalize;
use crate::proxy::{Program, Proxy};
use crate::template::Values;

/// Plays `scene` with every program. `PARITY_SHOW=1` shows Envoy's story.
#[track_caller]
pub fn same(config: &str, values: &Values, scene: impl Fn(&Proxy) -> String) {
    same_with(config, || (values.clone(), ()), |proxy, ()| scene(proxy));
}

/// The same with peers that `set_up` starts anew for every program, and the values that name them.
#[track_caller]
pub fn same_with<T>(
    config: &str,
    set_up: impl Fn() -> (Values, T),
    scene: impl Fn(&Proxy, &T) -> String,
) {
    let told = |program| {
        let (values, peers) = set_up();
        scene(&Proxy::start(program, config, &values), &peers)
    };
    let expected = told(Program::Envoy);
    if std::env::var_os("PARITY_SHOW").is_some() {
        eprintln!("{expected}");
    }
    for program in Program::ringmains() {
        let told = told(program);
        assert!(expected == told, "envoy:\n{expected}\n{program}:\n{told}");
    }
}

/// The counters and gauges whose names match the regular expression `names`, written as in a URL, but
/// for those that are 0 and those of one worker.
pub fn stats(proxy: &Proxy, names: &str) -> String {
    let mut story = String::new();
    for (name, value) in proxy.admin().stats(names) {
        let is_histogram = value.contains(' ');
        if !is_histogram && !name.contains(".worker_") && value != "0" {
            let _ = writeln!(story, "{name}: {value}");
        }
    }
    story
}

/// The lines of a log file once there are `count`, with names for `ports`.
pub fn log_lines(proxy: &Proxy, file: &str, count: usize, ports: &[(u16, &str)]) -> String {
    crate::wait::eventually("the log lines", || {
        let text = proxy.file(file);
        (text.lines().count() >= count).then(|| normalize::ports(&text, ports))
    })
}
