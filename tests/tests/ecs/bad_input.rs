//! What must be changed is said once, with what was asked, what was found and what to write.

use std::net::{Ipv6Addr, SocketAddr};

use ringmain_tests::aws::{FakeAws, FakeTask, Fault};
use ringmain_tests::client::Client;
use ringmain_tests::port::RefusingPort;
use ringmain_tests::proxy::{Engine, Program, Proxy};
use ringmain_tests::template::{Values, indented};
use ringmain_tests::wait::eventually;
use serde_json::{Value, json};

use crate::rig::{Rig, config, ecs_cluster, on_each_engine, tasks, upstream};

/// A proxy that follows the fake at `url`, with `new` in the place of `old` in its cluster.
fn start(engine: Engine, url: &str, [old, new]: [&str; 2]) -> Proxy {
    let cluster = ecs_cluster(url, "wait_for_first_discovery: 1s");
    let config = config(&cluster.replace(old, new));
    Proxy::start(Program::Ringmain(engine), &config, &Values::new())
}

const AS_IT_IS: [&str; 2] = ["", ""];

/// Waits until the log says `expected`, which it says once; requests are answered meanwhile.
#[track_caller]
fn says_once(proxy: &Proxy, expected: &str) {
    eventually(expected, || proxy.stderr().contains(expected).then_some(()));
    let mut client = Client::connect(proxy.port("listener"));
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(client.read_response().expect("an answer").status(), Some(503), "{expected}");
    assert_eq!(proxy.stderr().matches(expected).count(), 1, "{}", proxy.stderr());
}

#[test]
fn what_is_not_there_or_not_allowed_is_named() {
    on_each_engine(|engine| {
        for (code, expected) in [
            (
                "ClusterNotFoundException",
                "check name, region and account (asked for the tasks of service 'web' in cluster \
                 'prod' in region eu-west-1)",
            ),
            ("AccessDeniedException", "allow the role 'ecs:ListTasks'"),
        ] {
            let one = upstream();
            let aws = FakeAws::start(tasks(&[one.address()]));
            aws.change(|world| {
                world.faults.insert("ListTasks", Fault::Error(400, code));
            });
            says_once(&start(engine, &aws.url(), AS_IT_IS), expected);
        }
        let one = upstream();
        let aws = FakeAws::start(tasks(&[one.address()]));
        let proxy = start(engine, &aws.url(), ["service: web", "service: wbe"]);
        says_once(&proxy, "ECS has no service 'wbe' in cluster 'prod' in region eu-west-1");
    });
}

#[test]
fn one_service_that_is_not_there_is_told_once_while_others_are_polled() {
    on_each_engine(|engine| {
        for (absent, expected) in [
            (Some("wbe"), "asked for the tasks of service 'wbe'"),
            (None, "ECS has no service 'wbe'"),
        ] {
            let one = upstream();
            // Of so many others that each service is listed by itself.
            let other = |number| FakeTask {
                service: "other".to_owned(),
                ..FakeTask::running(&format!("o{number}"), one.address())
            };
            let aws = FakeAws::start((0..200).map(other).collect());
            aws.change(|world| {
                world.tasks.extend(tasks(&[one.address()]));
                world.absent = absent;
            });
            let clusters = [ecs_cluster(&aws.url(), ""), ecs_cluster(&aws.url(), "")];
            let wrong = clusters[1].replace("service: web", "service: wbe");
            let config =
                format!("{}  - name: wrong\n{}", config(&clusters[0]), indented(&wrong, 4));
            let proxy = Proxy::start(Program::Ringmain(engine), &config, &Values::new());
            let polls = || proxy.admin().stat("cluster.backend.ecs.poll_success");
            let before = polls();
            eventually("polls that could say it again", || (polls() >= before + 4).then_some(()));
            let log = proxy.stderr();
            assert_eq!(log.matches(expected).count(), 1, "{log}");
            assert!(!log.contains("ECS answers again"), "{log}");
            let report = proxy.admin().get("/ecs").text();
            assert!(report.contains(expected), "{report}");
            assert!(aws.calls("DescribeServices") <= 1);
            // One that is not there makes no other look as if it had not been told of.
            assert!(proxy.admin().stat("cluster.backend.ecs.last_success_unix") > 0);
        }
    });
}

#[test]
fn an_endpoint_that_cannot_be_reached_is_told() {
    on_each_engine(|engine| {
        let port = RefusingPort::bind();
        let url = format!("http://{}", port.address());
        says_once(&start(engine, &url, AS_IT_IS), "check 'endpoint' and 'region'");
    });
}

/// A task definition with these port mappings: container, name and port.
fn containers(mappings: &[(&str, &str, u16)]) -> Value {
    let container = |(container, name, port): &(&str, &str, u16)| {
        let mapping = json!({ "containerPort": port, "protocol": "tcp", "name": name });
        json!({ "name": container, "portMappings": [mapping] })
    };
    json!({ "containerDefinitions": mappings.iter().map(container).collect::<Vec<_>>() })
}

#[test]
fn a_port_that_cannot_be_chosen_is_told_with_those_there_are() {
    on_each_engine(|engine| {
        const NAMED: &str = "port_name: http";
        let two = containers(&[("app", "api", 8080), ("proxy", "admin", 9901)]);
        let both = "8080 ('api') of container 'app', 9901 ('admin') of container 'proxy'";
        for (definition, fields, expected) in [
        (&two, "port: 81", format!("has no TCP port mapping for port 81; it has {both}")),
        (&two, NAMED, format!("has no TCP port mapping for port_name 'http'; it has {both}")),
        (
            &two,
            "",
            format!(
                "has more than one TCP port mapping for any port: {both}; say which with \
                 'port_name', or with 'container_name' and 'port'"
            ),
        ),
        (
            &containers(&[]),
            NAMED,
            "has no TCP port mapping, port_name 'http' was asked for; add 'portMappings' to its \
             container"
                .to_owned(),
        ),
        (
            &json!({ "networkMode": "none" }),
            NAMED,
            "has network mode 'none', in which nothing can reach its tasks; use awsvpc, bridge or \
             host"
                .to_owned(),
        ),
    ] {
        let one = upstream();
        let aws = FakeAws::start(tasks(&[one.address()]));
        aws.change(|world| world.definition = definition.as_object().expect("fields").clone());
        let proxy = start(engine, &aws.url(), [NAMED, fields]);
        eventually("polls that could say it again", || {
            (proxy.admin().stat("cluster.backend.ecs.poll_success") >= 3).then_some(())
        });
        says_once(&proxy, &expected);
        let report = proxy.admin().get("/ecs").text();
        assert!(report.contains(&expected), "{report}");
    }
    });
}

#[test]
fn a_task_that_has_ipv6_alone_is_reached_by_it() {
    on_each_engine(|engine| {
        let address = SocketAddr::from((Ipv6Addr::LOCALHOST, 8080));
        let rig = Rig::start(engine, tasks(&[address]), "");
        rig.wait_for_hosts(1);
        let clusters = rig.proxy.admin().get("/clusters").text();
        assert!(clusters.contains("backend::[::1]:8080::"), "{clusters}");
    });
}
