//! Tasks come, go, fall ill and are replaced while requests keep coming.

use ringmain_tests::aws::FakeTask;
use ringmain_tests::load::Load;
use ringmain_tests::wait::eventually;

use crate::rig::{Rig, tasks, upstream};

#[test]
fn traffic_follows_the_tasks() {
    let (one, two) = (upstream(), upstream());
    let rig = Rig::start(tasks(&[one.address()]), "");
    let load = Load::start(rig.proxy.port("listener"), 2);
    load.wait_for(20);
    // A task that does not run yet gets nothing.
    let pending = FakeTask { last: "PENDING", ..FakeTask::running("b", two.address()) };
    rig.aws.change(|world| world.tasks.push(pending));
    rig.wait_for_reason("b", "not RUNNING yet");
    assert_eq!((rig.hosts(), two.requests().len()), (1, 0));
    rig.aws.change(|world| world.tasks[1].last = "RUNNING");
    rig.wait_for_hosts(2);
    two.wait_for_requests(5);
    // ECS stops the first; it still answers what comes, which must be nothing new.
    rig.aws.change(|world| world.tasks[0].desired = "STOPPED");
    rig.wait_for_hosts(1);
    load.wait_for(20);
    let served = one.requests().len();
    load.wait_for(20);
    assert_eq!(one.requests().len(), served);
    rig.wait_for_reason("a", "ECS is stopping it");
    load.finish();
    let log = rig.proxy.stderr();
    for line in ["host joins: ready", "host leaves: out: ECS is stopping it"] {
        assert!(log.contains(line), "{line} is not in {log}");
    }
}

#[test]
fn a_task_that_vanishes_without_a_word_costs_no_request() {
    let (one, two) = (upstream(), upstream());
    let rig = Rig::start(tasks(&[one.address(), two.address()]), "refresh_interval: 60s");
    rig.wait_for_hosts(2);
    let load = Load::start(rig.proxy.port("listener"), 2);
    load.wait_for(20);
    let described = rig.aws.calls("DescribeTasks");
    drop(one);
    rig.aws.change(|world| {
        world.tasks[0].desired = "STOPPED";
        world.tasks[0].last = "STOPPED";
    });
    // The refused connection brings the next poll forward by a minute.
    rig.wait_for_hosts(1);
    assert!(rig.aws.calls("DescribeTasks") > described);
    assert!(rig.proxy.stderr().contains("host is suspect"));
    load.wait_for(20);
    load.finish();
}

#[test]
fn an_address_taken_over_by_a_new_task_is_another_host() {
    let (one, two) = (upstream(), upstream());
    let rig = Rig::start(tasks(&[one.address(), two.address()]), "");
    rig.wait_for_hosts(2);
    let load = Load::start(rig.proxy.port("listener"), 1);
    load.wait_for(50);
    rig.aws.change(|world| {
        world.tasks[0] = FakeTask::running("new", one.address());
    });
    rig.wait_for_reason("new", "in: RUNNING");
    rig.wait_for_hosts(2);
    load.wait_for(20);
    load.finish();
    let clusters = rig.proxy.admin().get("/clusters").text();
    let row = format!("backend::{}::rq_total::", one.address());
    let total = clusters.lines().find_map(|line| line.strip_prefix(&row)).expect("a row");
    let total: usize = total.parse().expect("a number");
    assert!(total < one.requests().len(), "the new task began with {total} requests");
}

#[test]
fn health_moves_a_task_in_and_out_and_keeps_its_connections() {
    let (one, two) = (upstream(), upstream());
    let rig = Rig::start(tasks(&[one.address(), two.address()]), "");
    rig.wait_for_hosts(2);
    let load = Load::start(rig.proxy.port("listener"), 1);
    load.wait_for(20);
    let connections = one.connections().len();
    rig.aws.change(|world| world.tasks[0].health = "UNHEALTHY");
    rig.proxy.admin().wait_for_stat("cluster.backend.membership_healthy", 1);
    rig.wait_for_reason("a", "health check fails");
    assert_eq!(rig.hosts(), 2);
    let served = one.requests().len();
    load.wait_for(20);
    assert_eq!(one.requests().len(), served);
    rig.aws.change(|world| world.tasks[0].health = "HEALTHY");
    rig.proxy.admin().wait_for_stat("cluster.backend.membership_healthy", 2);
    one.wait_for_requests(served + 5);
    assert_eq!(one.connections().len(), connections);
    load.finish();
}

#[test]
fn a_canary_gets_the_traffic_that_ecs_gives_it() {
    let (old, new) = (upstream(), upstream());
    let mut known = tasks(&[old.address(), new.address()]);
    known[1].deployment = "ecs-svc/2".to_owned();
    let aws = ringmain_tests::aws::FakeAws::start(known);
    aws.change(|world| {
        world.deployments = vec![("ecs-svc/2".into(), "PRIMARY"), ("ecs-svc/1".into(), "ACTIVE")];
        world.traffic = Some((0.0, 100.0));
    });
    let rig = Rig::start_on(aws, "deployment_weights: ecs");
    rig.wait_for_reason("b", "no production traffic");
    let load = Load::start(rig.proxy.port("listener"), 1);
    load.wait_for(20);
    assert_eq!(new.requests().len(), 0);
    rig.aws.change(|world| world.traffic = Some((20.0, 80.0)));
    rig.wait_for_hosts(2);
    let from = (old.requests().len(), new.requests().len());
    load.wait_for(200);
    load.finish();
    let (old, new) = (old.requests().len() - from.0, new.requests().len() - from.1);
    assert!((old as f64 / new as f64 - 4.0).abs() < 0.8, "{old} and {new}");
}

#[test]
fn clusters_and_ecs_tell_where_a_task_runs() {
    let one = upstream();
    let rig = Rig::start(tasks(&[one.address()]), "");
    let clusters = rig.proxy.admin().get("/clusters").text();
    let address = one.address();
    assert!(clusters.contains(&format!("backend::{address}::zone::eu-west-1b\n")), "{clusters}");
    assert!(clusters.contains(r#""ecs.service":"web""#), "{clusters}");
    let text = rig.proxy.admin().get("/ecs").text();
    let row = format!(
        "a {address} zone=eu-west-1b revision=web:{} deployment=ecs-svc/1 desired=RUNNING \
         last=RUNNING health=HEALTHY weight=1 in: RUNNING and not UNHEALTHY",
        address.port()
    );
    assert!(text.contains("ecs::prod::eu-west-1\n") && text.contains(&row), "{text}");
}

#[test]
fn thousands_of_tasks_are_listed_in_pages_and_described_in_batches() {
    let one = upstream();
    let many: Vec<FakeTask> = (0..1050)
        .map(|number| FakeTask::running(&format!("t{number:04}"), one.address()))
        .collect();
    let rig = Rig::start(many, "");
    rig.wait_for_hosts(1050);
    let load = Load::start(rig.proxy.port("listener"), 1);
    assert_eq!((rig.aws.largest_batch(), rig.aws.calls("DescribeTaskDefinition")), (100, 1));
    assert_eq!(rig.aws.calls("ListTasks") % 11, 0);
    // Settled tasks cost one batch a poll.
    let (listed, described) = (rig.aws.calls("ListTasks"), rig.aws.calls("DescribeTasks"));
    eventually("the next poll", || (rig.aws.calls("ListTasks") >= listed + 11).then_some(()));
    assert!(rig.aws.calls("DescribeTasks") <= described + 2);
    load.wait_for(20);
    load.finish();
}
