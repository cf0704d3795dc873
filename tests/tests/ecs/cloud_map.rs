//! Cloud Map's API instead of ECS's.

use ringmain_tests::aws::{FakeAws, Fault};
use ringmain_tests::load::Load;
use ringmain_tests::moto::CloudMap;
use ringmain_tests::port::RefusingPort;
use ringmain_tests::proxy::{Engine, Program, Proxy};
use ringmain_tests::template::Values;
use ringmain_tests::wait::eventually;

use crate::rig::{SUSPECT, config, on_each_engine, upstream};

const HOSTS: &str = "cluster.backend.membership_total";
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
    wait_for_first_discovery: 1s
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
        admin.wait_for_stat(HOSTS, 1);
        let load = Load::start(proxy.port("listener"), 1);
        load.wait_for(10);
        aws.change(|world| {
            world.instances.push(("b".into(), two.address()));
            world.revision = 2;
        });
        admin.wait_for_stat(HOSTS, 2);
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
            assert_eq!(admin.stat(HOSTS), 2, "{action}: {fault:?}");
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
fn an_instance_that_refuses_connections_is_out_though_cloud_map_names_it() {
    on_each_engine(|engine| {
        let (one, two) = (upstream(), upstream());
        let (aws, address) = (FakeAws::start(Vec::new()), one.address());
        aws.change(|world| {
            world.instances = vec![("a".into(), address), ("b".into(), two.address())];
        });
        let proxy = start(engine, &aws.url());
        let admin = proxy.admin();
        admin.wait_for_stat(HOSTS, 2);
        let load = Load::start(proxy.port("listener"), 2);
        load.wait_for(20);
        drop(one);
        let row = format!("backend::{address}::{SUSPECT}\n");
        eventually("a suspect", || admin.get("/clusters").text().contains(&row).then_some(()));
        eventually("why it is out", || {
            let out = "weight=1 out: suspect, it refused a connection";
            admin.get("/ecs").text().contains(out).then_some(())
        });
        aws.change(|world| {
            world.instances.remove(0);
            world.revision += 1;
        });
        admin.wait_for_stat(HOSTS, 1);
        load.wait_for(20);
        load.finish();
    });
}

#[test]
fn what_must_be_changed_is_said_once_and_takes_no_host_away() {
    const REVISION: &str = "DiscoverInstancesRevision";
    const ASKED: &str = "(asked for service 'web' of namespace 'internal' in region eu-west-1); the \
                         last hosts stay";
    let asked = |what: &str| format!("{what}; check name, region and account {ASKED}");
    let unreadable = || "the answer, of status 200, cannot be read: ".to_owned();
    on_each_engine(|engine| {
        for (action, fault, expected) in [
            (
                REVISION,
                Fault::Error(400, "NamespaceNotFound"),
                asked("NamespaceNotFound: as scripted"),
            ),
            (REVISION, Fault::Error(400, "ServiceNotFound"), asked("ServiceNotFound: as scripted")),
            ("DiscoverInstances", Fault::Error(400, "ServiceNotFound"), asked("as scripted")),
            (
                REVISION,
                Fault::Error(400, "AccessDeniedException"),
                "allow the role 'servicediscovery:DiscoverInstancesRevision'".to_owned(),
            ),
            (
                "DiscoverInstances",
                Fault::Error(400, "AccessDeniedException"),
                "allow the role 'servicediscovery:DiscoverInstances'".to_owned(),
            ),
            (
                REVISION,
                Fault::Error(400, "InvalidInput"),
                format!("InvalidInput: as scripted {ASKED}"),
            ),
            (REVISION, Fault::Garbage("{"), unreadable()),
            ("DiscoverInstances", Fault::Garbage("<html>captive portal</html>"), unreadable()),
            ("DiscoverInstances", Fault::Garbage("{}"), "the answer has no 'Instances'".to_owned()),
            (REVISION, Fault::Silent, "has timed out".to_owned()),
            (
                REVISION,
                Fault::Error(400, "RequestLimitExceeded"),
                "RequestLimitExceeded".to_owned(),
            ),
            (
                "DiscoverInstances",
                Fault::Empty,
                "the answer is empty; the last hosts stay for empty_set_grace".to_owned(),
            ),
        ] {
            let one = upstream();
            let aws = FakeAws::start(Vec::new());
            aws.change(|world| world.instances = vec![("a".into(), one.address())]);
            let proxy = start(engine, &aws.url());
            proxy.admin().wait_for_stat(HOSTS, 1);
            let load = Load::start(proxy.port("listener"), 1);
            aws.change(|world| {
                world.revision += 1;
                world.faults.insert(action, fault.clone());
            });
            eventually(&expected, || proxy.stderr().contains(&expected).then_some(()));
            load.wait_for(20);
            load.finish();
            assert_eq!(proxy.admin().stat(HOSTS), 1, "{action}: {fault:?}");
            assert_eq!(proxy.stderr().matches(&expected).count(), 1, "{}", proxy.stderr());
        }
    });
}

#[test]
fn an_endpoint_that_cannot_be_reached_and_a_port_that_is_not_told_are_named() {
    on_each_engine(|engine| {
        let port = RefusingPort::bind();
        let proxy = start(engine, &format!("http://{}", port.address()));
        let expected = "check 'endpoint' and 'region', and that there is a way there (NAT, VPC \
                        endpoint) (asked for service 'web' of namespace 'internal'";
        eventually(expected, || proxy.stderr().contains(expected).then_some(()));
        let (one, aws) = (upstream(), FakeAws::start(Vec::new()));
        aws.change(|world| {
            world.instances = vec![("a".into(), one.address()), ("b".into(), one.address())];
            world.portless = true;
        });
        let proxy = start(engine, &aws.url());
        let expected = "it has no AWS_INSTANCE_PORT; write 'port' in the cluster";
        let polls = || proxy.admin().stat(SUCCESS);
        eventually("polls that could say it again", || (polls() >= 3).then_some(()));
        assert_eq!(proxy.stderr().matches(expected).count(), 1, "{}", proxy.stderr());
        let report = proxy.admin().get("/ecs").text();
        assert_eq!(report.matches(expected).count(), 2, "{report}");
    });
}

#[test]
fn the_instances_are_asked_for_when_their_revision_changes() {
    on_each_engine(|engine| {
        let one = upstream();
        let aws = FakeAws::start(Vec::new());
        aws.change(|world| world.instances = vec![("a".into(), one.address())]);
        let proxy = start(engine, &aws.url());
        proxy.admin().wait_for_stat(HOSTS, 1);
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
        admin.wait_for_stat(HOSTS, 1);
        let load = Load::start(proxy.port("listener"), 2);
        load.wait_for(20);
        cloud_map.register("b", two.address());
        admin.wait_for_stat(HOSTS, 2);
        two.wait_for_requests(5);
        cloud_map.deregister("a");
        admin.wait_for_stat(HOSTS, 1);
        load.wait_for(20);
        load.finish();
        let clusters = admin.get("/clusters").text();
        assert!(clusters.contains(&format!("backend::{}::zone::eu-west-1b", two.address())));
    });
}
