//! A proxy whose cluster `backend` is found by the fake, and upstreams that are its tasks.

use std::net::SocketAddr;
use std::thread;

use ringmain_tests::aws::{FakeAws, FakeTask};
use ringmain_tests::proxy::{Engine, Program, Proxy};
use ringmain_tests::template::{Values, front_proxy};
use ringmain_tests::upstream::{Upstream, ok};
use ringmain_tests::wait::eventually;
use serde_json::Value;

/// What `/clusters` says of a suspect.
pub const SUSPECT: &str = "health_flags::/failed_eds_health";

/// A proxy that follows the service `web` of a fake.
pub struct Rig {
    pub aws: FakeAws,
    pub proxy: Proxy,
}

/// Plays `scene` on every engine, on all at once: most of it is waiting.
pub fn on_each_engine(scene: impl Fn(Engine) + Sync) {
    thread::scope(|scope| {
        let scene = &scene;
        for engine in Engine::available() {
            scope.spawn(move || scene(engine));
        }
    });
}

/// The `cluster_type` of a service, with further fields.
pub fn ecs_cluster(url: &str, more: &str) -> String {
    let interval = if more.contains("refresh_interval") { "" } else { "refresh_interval: 1s" };
    format!(
        r#"cluster_type:
  name: ringmain.clusters.ecs
  typed_config:
    "@type": type.googleapis.com/ringmain.clusters.ecs.v1.EcsCluster
    cluster: prod
    service: web
    region: eu-west-1
    port_name: http
    {interval}
    endpoint: {url}
    {}"#,
        more.replace('\n', "\n    ")
    )
}

/// A configuration whose cluster has `cluster_type` in the place of its endpoints.
pub fn config(cluster_type: &str) -> String {
    let text = front_proxy("", "", cluster_type);
    let (before, rest) = text.split_once("    type: STATIC\n").expect("a static cluster");
    let own = rest.find("    cluster_type:").expect("the cluster's own fields come last");
    format!("{before}{}", &rest[own..])
}

impl Rig {
    /// Tasks, and a proxy on this engine that follows them with further fields in its cluster.
    pub fn start(engine: Engine, tasks: Vec<FakeTask>, more: &str) -> Self {
        Self::start_on(engine, FakeAws::start(tasks), more)
    }

    /// Two upstreams, and a proxy that has found both.
    #[track_caller]
    pub fn pair(engine: Engine, more: &str) -> (Self, [Upstream; 2]) {
        let upstreams = [upstream(), upstream()];
        let rig = Self::start(engine, tasks_of(&upstreams), more);
        rig.wait_for_hosts(2);
        (rig, upstreams)
    }

    /// A proxy that follows `aws`.
    pub fn start_on(engine: Engine, aws: FakeAws, more: &str) -> Self {
        let config = config(&ecs_cluster(&aws.url(), more));
        let proxy = Proxy::start(Program::Ringmain(engine), &config, &Values::new());
        Self { aws, proxy }
    }

    /// How many hosts the workers have.
    pub fn hosts(&self) -> u64 {
        self.proxy.admin().stat("cluster.backend.membership_total")
    }

    /// Waits until the workers have `count` hosts.
    #[track_caller]
    pub fn wait_for_hosts(&self, count: u64) {
        self.proxy.admin().wait_for_stat("cluster.backend.membership_total", count);
    }

    /// A counter of the cluster's discovery.
    pub fn ecs_stat(&self, name: &str) -> u64 {
        self.proxy.admin().stat(&format!("cluster.backend.ecs.{name}"))
    }

    /// Waits until the process has said `text` in its log.
    #[track_caller]
    pub fn wait_for_log(&self, text: &str) {
        eventually(text, || self.proxy.stderr().contains(text).then_some(()));
    }

    /// Waits until a counter of the cluster's discovery has grown by `by`, of events that go on.
    #[track_caller]
    pub fn wait_for_more(&self, name: &str, by: u64) {
        self.wait_for_at_least(name, self.ecs_stat(name) + by);
    }

    /// Waits until a counter of the cluster's discovery has come to `count`.
    #[track_caller]
    pub fn wait_for_at_least(&self, name: &str, count: u64) {
        eventually(&format!("{name} to become {count} or more"), || {
            (self.ecs_stat(name) >= count).then_some(())
        });
    }

    fn report(&self) -> Value {
        let text = self.proxy.admin().get("/ecs?format=json").text();
        serde_json::from_str(&text).expect("JSON")
    }

    /// What went wrong in the last poll.
    pub fn errors(&self) -> Vec<String> {
        let report = self.report();
        let errors = report["pollers"][0]["errors"].as_array().into_iter().flatten();
        errors.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// Whether `/clusters` has `row` of the host at `address`.
    pub fn has_row(&self, address: SocketAddr, row: &str) -> bool {
        let row = format!("backend::{address}::{row}\n");
        self.proxy.admin().get("/clusters").text().contains(&row)
    }

    /// Waits until a host that refuses connections has no part in the rotation.
    #[track_caller]
    pub fn wait_until_suspect(&self, address: SocketAddr) {
        eventually("a suspect", || self.has_row(address, SUSPECT).then_some(()));
    }

    /// The interval of the polls, as throttling has stretched it.
    pub fn interval_ms(&self) -> u64 {
        self.report()["pollers"][0]["interval_ms"].as_u64().expect("a number")
    }

    /// What `/ecs` says of each task.
    pub fn tasks(&self) -> Vec<Value> {
        let report = self.report();
        report["pollers"][0]["clusters"][0]["tasks"].as_array().cloned().unwrap_or_default()
    }

    /// Why the task `id` is in or out.
    pub fn reason(&self, id: &str) -> String {
        let tasks = self.tasks();
        let task = tasks.iter().find(|task| task["id"] == id);
        task.map_or("not shown".to_owned(), |task| {
            task["reason"].as_str().expect("text").to_owned()
        })
    }

    /// Waits until `/ecs` gives `reason` for the task `id`.
    #[track_caller]
    pub fn wait_for_reason(&self, id: &str, reason: &str) {
        eventually(&format!("task {id} to be '{reason}'"), || {
            self.reason(id).contains(reason).then_some(())
        });
    }
}

/// An upstream that answers everything.
pub fn upstream() -> Upstream {
    Upstream::start(vec![ok()])
}

/// Tasks `a`, `b` and so on, one for each address.
pub fn tasks(addresses: &[SocketAddr]) -> Vec<FakeTask> {
    let ids = 'a'..='z';
    ids.zip(addresses).map(|(id, address)| FakeTask::running(&id.to_string(), *address)).collect()
}

/// Tasks `a`, `b` and so on, one for each upstream.
pub fn tasks_of(upstreams: &[Upstream]) -> Vec<FakeTask> {
    let addresses: Vec<_> = upstreams.iter().map(Upstream::address).collect();
    tasks(&addresses)
}
