//! Cloud Map's API instead of ECS's.

use ringmain_tests::aws::{FakeAws, Fault};
use ringmain_tests::load::Load;
use ringmain_tests::moto::CloudMap;
use ringmain_tests::proxy::{Engine, Program, Proxy};
use ringmain_tests::template::Values;
use ringmain_tests::wait::eventually;

use crate::rig::{config, on_each_engine, upstream};

const SUCCESS: &str = "cluster.backend.cloud_map.poll_success";

fn start(engine: Engine, url: &str) -> Proxy {
    let cluster = format!(
        r#"cluster_type:
  name: ringmain.clusters.cloud_map
  typed_config:
    "@type": type.googleapis.com/ringmain.clusters.cloud_map.v1.CloudMapCluster
    namespace: internal
    service: web
    region: eu-west-1
    refresh_interval: 1s
    endpoint: {url}"#
    );
    let program = Program::Ringmain(engine);
    Proxy::start(program, &config(&cluster), &Values::new())
}

#[test]
fn hosts_are_the_instances_and_failures_take_none_away() {
    on_each_engine(|engine| {
        let (one, two) = (upstream(), upstream());
        let aws = FakeAws::start(Vec::new());
        aws.change(|world| {
            world.instances = vec![("a".into(), one.address())];
            world.revision = 1;
        });
        let proxy = start(engine, &aws.url());
        let admin = proxy.admin();
        admin.wait_for_stat("cluster.backend.membership_total", 1);
        let load = Load::start(proxy.port("listener"), 1);
        load.wait_for(10);
        aws.change(|world| {
            world.instances.push(("b".into(), two.address()));
            world.revision = 2;
        });
        admin.wait_for_stat("cluster.backend.membership_total", 2);
        two.wait_for_requests(5);
        for (action, fault) in [
            ("DiscoverInstancesRevision", Fault::Error(400, "RequestLimitExceeded")),
            ("DiscoverInstancesRevision", Fault::Closed),
            ("DiscoverInstancesRevision", Fault::Silent),
            ("DiscoverInstancesRevision", Fault::Garbage("{}")),
            ("DiscoverInstancesRevision", Fault::Error(400, "ExpiredTokenException")),
            ("DiscoverInstances", Fault::Error(500, "InternalFailure")),
            ("DiscoverInstances", Fault::CutShort),
            ("DiscoverInstances", Fault::Garbage("{}")),
            ("DiscoverInstances", Fault::Empty),
        ] {
            let count = || {
                admin.stat("cluster.backend.cloud_map.poll_failure")
                    + admin.stat("cluster.backend.cloud_map.empty_ignored")
            };
            let before = count();
            aws.change(|world| {
                world.revision += 1;
                world.faults.insert(action, fault.clone());
            });
            eventually("the fault to be met", || (count() > before).then_some(()));
            assert_eq!(admin.stat("cluster.backend.membership_total"), 2, "{action}: {fault:?}");
            let succeeded = admin.stat(SUCCESS);
            aws.change(|world| world.faults.clear());
            eventually("a good poll", || (admin.stat(SUCCESS) > succeeded).then_some(()));
        }
        load.wait_for(10);
        load.finish();
        let clusters = admin.get("/clusters").text();
        assert!(clusters.contains("::zone::eu-west-1c\n"), "{clusters}");
        let report = admin.get("/ecs").text();
        assert!(report.contains("cloud_map::web.internal::eu-west-1"), "{report}");
    });
}

#[test]
fn the_instances_are_asked_for_when_their_revision_changes() {
    on_each_engine(|engine| {
        let one = upstream();
        let aws = FakeAws::start(Vec::new());
        aws.change(|world| world.instances = vec![("a".into(), one.address())]);
        let proxy = start(engine, &aws.url());
        proxy.admin().wait_for_stat("cluster.backend.membership_total", 1);
        eventually("more polls", || (aws.calls("DiscoverInstancesRevision") >= 4).then_some(()));
        assert_eq!(aws.calls("DiscoverInstances"), 1);
    });
}

/// moto has no host whose name begins with `data-`, before which the SDK puts it.
#[test]
fn traffic_follows_the_instances_that_moto_tells() {
    on_each_engine(|engine| {
        let (one, two, cloud_map) = (upstream(), upstream(), CloudMap::start());
        cloud_map.register("a", one.address());
        let proxy = start(engine, &cloud_map.url());
        let admin = proxy.admin();
        admin.wait_for_stat("cluster.backend.membership_total", 1);
        let load = Load::start(proxy.port("listener"), 2);
        load.wait_for(20);
        cloud_map.register("b", two.address());
        admin.wait_for_stat("cluster.backend.membership_total", 2);
        two.wait_for_requests(5);
        cloud_map.deregister("a");
        admin.wait_for_stat("cluster.backend.membership_total", 1);
        load.wait_for(20);
        load.finish();
        let clusters = admin.get("/clusters").text();
        assert!(clusters.contains(&format!("backend::{}::zone::eu-west-1b", two.address())));
    });
}
