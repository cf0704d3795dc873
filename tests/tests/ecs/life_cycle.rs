//! Tasks come, go, fall ill and are replaced while requests keep coming.

use ringmain_tests::aws::{FakeAws, FakeTask, Fault};
use ringmain_tests::load::Load;
use ringmain_tests::upstream::{Act, Upstream};
use ringmain_tests::wait::eventually;

use crate::rig::{Rig, on_each_engine, tasks, tasks_of, upstream};

/// Waits until requests go by upstreams whose number of requests `served` tells: the workers hear of a change
/// a little after admin shows it, and a request may be on its way.
#[track_caller]
fn wait_until_unserved(load: &Load, served: impl Fn() -> usize) {
    eventually("requests that others serve", || {
        let before = served();
        load.wait_for(20);
        (served() == before).then_some(())
    });
}

#[test]
fn traffic_follows_the_tasks() {
    on_each_engine(|engine| {
        let (one, two) = (upstream(), upstream());
        let rig = Rig::start(engine, tasks(&[one.address()]), "");
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
        wait_until_unserved(&load, || one.requests().len());
        rig.wait_for_reason("a", "ECS is stopping it");
        load.finish();
        rig.wait_for_log("host joins: ready");
        rig.wait_for_log("host leaves: out: ECS is stopping it");
    });
}

#[test]
fn a_task_that_vanishes_without_a_word_costs_no_request() {
    on_each_engine(|engine| {
        let (rig, [one, _two]) = Rig::pair(engine, "refresh_interval: 60s");
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
        rig.wait_for_log("host is suspect");
        load.wait_for(20);
        load.finish();
    });
}

#[test]
fn what_a_dying_task_takes_and_does_not_serve_goes_to_another_one() {
    on_each_engine(|engine| {
        let (dying, other) = (Upstream::start(vec![vec![Act::ReadBody, Act::Close]]), upstream());
        let rig = Rig::start(engine, tasks(&[dying.address(), other.address()]), "");
        rig.wait_for_hosts(2);
        let load = Load::start(rig.proxy.port("listener"), 2);
        dying.wait_for_requests(5);
        load.wait_for(20);
        load.finish();
    });
}

#[test]
fn a_task_that_ecs_does_not_know_leaves_though_it_is_listed() {
    on_each_engine(|engine| {
        let (rig, _upstreams) = Rig::pair(engine, "");
        let load = Load::start(rig.proxy.port("listener"), 1);
        load.wait_for(20);
        rig.aws.change(|world| world.tasks[0].known = false);
        rig.wait_for_hosts(1);
        assert_eq!(rig.ecs_stat("poll_failure"), 0);
        load.wait_for(20);
        load.finish();
    });
}

#[test]
fn an_address_taken_over_by_a_new_task_is_another_host() {
    on_each_engine(|engine| {
        let (rig, [one, _two]) = Rig::pair(engine, "");
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
    });
}

#[test]
fn health_moves_a_task_in_and_out_and_keeps_its_connections() {
    on_each_engine(|engine| {
        let (rig, [one, _two]) = Rig::pair(engine, "");
        let load = Load::start(rig.proxy.port("listener"), 1);
        load.wait_for(20);
        let connections = one.connections().len();
        rig.aws.change(|world| world.tasks[0].health = "UNHEALTHY");
        rig.proxy.admin().wait_for_stat("cluster.backend.membership_healthy", 1);
        rig.wait_for_reason("a", "health check fails");
        assert_eq!(rig.hosts(), 2);
        wait_until_unserved(&load, || one.requests().len());
        let served = one.requests().len();
        rig.aws.change(|world| world.tasks[0].health = "HEALTHY");
        rig.proxy.admin().wait_for_stat("cluster.backend.membership_healthy", 2);
        one.wait_for_requests(served + 5);
        assert_eq!(one.connections().len(), connections);
        load.finish();
    });
}

/// Which of `count` tasks fail their health checks in the `round`th round of a storm: others each time, all
/// but one of them at times, never all.
fn sick(round: usize, count: usize) -> Vec<bool> {
    (0..count).map(|task| task != round % count && (task * 7 + round * 3) % 5 < round % 5).collect()
}

#[test]
fn a_storm_of_health_changes_costs_no_request() {
    on_each_engine(|engine| {
        let upstreams: Vec<Upstream> = (0..8).map(|_| upstream()).collect();
        let aws = FakeAws::start(tasks_of(&upstreams));
        let rig = Rig::start_on(engine, aws, "");
        rig.wait_for_hosts(8);
        let load = Load::start(rig.proxy.port("listener"), 4);
        for round in 0..10 {
            let sick = sick(round, 8);
            rig.aws.change(|world| {
                for (task, sick) in world.tasks.iter_mut().zip(&sick) {
                    task.health = if *sick { "UNHEALTHY" } else { "HEALTHY" };
                }
            });
            for (id, sick) in ('a'..).zip(&sick) {
                let verdict = if *sick { "health check fails" } else { "in: " };
                rig.wait_for_reason(&id.to_string(), verdict);
            }
            let healthy = sick.iter().filter(|sick| !**sick).count();
            let stat = "cluster.backend.membership_healthy";
            rig.proxy.admin().wait_for_stat(stat, healthy as u64);
            assert_eq!(rig.hosts(), 8, "round {round}");
            load.wait_for(10);
        }
        load.finish();
    });
}

/// Two tasks of a deployment, and how many requests their upstreams have had together.
fn deployment(number: usize, upstreams: &[Upstream]) -> Vec<FakeTask> {
    let task = |(at, upstream): (usize, &Upstream)| FakeTask {
        deployment: format!("ecs-svc/{number}"),
        ..FakeTask::running(&format!("d{number}-{at}"), upstream.address())
    };
    upstreams.iter().enumerate().map(task).collect()
}

fn requests(upstreams: &[Upstream]) -> usize {
    upstreams.iter().map(|upstream| upstream.requests().len()).sum()
}

#[test]
fn blue_and_green_trade_places_as_ecs_moves_the_traffic() {
    on_each_engine(|engine| {
        let (blue, green) = ([upstream(), upstream()], [upstream(), upstream()]);
        let aws = FakeAws::start(deployment(1, &blue));
        let rig = Rig::start_on(engine, aws, "deployment_weights: ecs");
        rig.wait_for_hosts(2);
        let load = Load::start(rig.proxy.port("listener"), 2);
        // Only one of the two sides gets requests from now on.
        let serves_only = |serving: &[Upstream], other: &[Upstream]| {
            let served = requests(serving);
            wait_until_unserved(&load, || requests(other));
            assert!(requests(serving) > served);
        };
        // Green scales up, and is tested.
        rig.aws.change(|world| {
            world.deployments =
                vec![("ecs-svc/2".into(), "PRIMARY"), ("ecs-svc/1".into(), "ACTIVE")];
            world.traffic = Some((0.0, 100.0));
            world.tasks.extend(deployment(2, &green));
        });
        rig.wait_for_reason("d2-0", "no production traffic");
        serves_only(&blue, &green);
        // What cannot be asked is as it was.
        for (action, fault) in [
            ("DescribeServiceDeployments", Fault::Error(500, "ServerException")),
            ("DescribeServiceDeployments", Fault::Garbage("{}")),
            ("DescribeServiceDeployments", Fault::Hollow),
            ("ListServiceDeployments", Fault::Garbage("{}")),
            ("ListServiceDeployments", Fault::Hollow),
        ] {
            rig.aws.change(|world| {
                world.faults.insert(action, fault.clone());
            });
            eventually("the fault to be told", || {
                rig.errors().iter().any(|error| error.contains(action)).then_some(())
            });
            assert_eq!(rig.hosts(), 2, "{action}: {fault:?}");
            serves_only(&blue, &green);
            rig.aws.change(|world| world.faults.clear());
            eventually("a good answer", || rig.errors().is_empty().then_some(()));
        }
        // Production moves to green, back to blue as an alarm goes off, and to green again.
        for (traffic, waits, reason, serving, other) in [
            ((100.0, 0.0), "d1-0", "no production traffic", &green, &blue),
            ((0.0, 100.0), "d2-0", "no production traffic", &blue, &green),
            ((100.0, 0.0), "d1-0", "no production traffic", &green, &blue),
        ] {
            rig.aws.change(|world| world.traffic = Some(traffic));
            rig.wait_for_reason(waits, reason);
            serves_only(serving, other);
        }
        // Blue has baked long enough.
        rig.aws.change(|world| {
            for task in &mut world.tasks[..2] {
                task.desired = "STOPPED";
            }
        });
        rig.wait_for_reason("d1-0", "ECS is stopping it");
        rig.aws.change(|world| {
            world.tasks.drain(..2);
            world.deployments = vec![("ecs-svc/2".into(), "PRIMARY")];
            world.traffic = None;
        });
        serves_only(&green, &blue);
        assert_eq!(rig.hosts(), 2);
        load.finish();
    });
}

#[test]
fn primary_only_leaves_the_old_deployment_as_soon_as_the_new_one_serves() {
    on_each_engine(|engine| {
        let (old, new) = ([upstream(), upstream()], [upstream(), upstream()]);
        let aws = FakeAws::start(deployment(1, &old));
        aws.change(|world| world.deployments = vec![("ecs-svc/1".into(), "PRIMARY")]);
        let rig = Rig::start_on(engine, aws, "deployment_weights: primary_only");
        rig.wait_for_hosts(2);
        let load = Load::start(rig.proxy.port("listener"), 2);
        let starting =
            deployment(2, &new).into_iter().map(|task| FakeTask { last: "PENDING", ..task });
        rig.aws.change(|world| {
            world.deployments =
                vec![("ecs-svc/2".into(), "PRIMARY"), ("ecs-svc/1".into(), "ACTIVE")];
            world.tasks.extend(starting);
        });
        rig.wait_for_reason("d2-0", "not RUNNING yet");
        load.wait_for(20);
        assert_eq!((rig.hosts(), requests(&new)), (2, 0));
        rig.aws.change(|world| world.tasks[2..].iter_mut().for_each(|task| task.last = "RUNNING"));
        rig.wait_for_reason("d1-0", "no production traffic");
        wait_until_unserved(&load, || requests(&old));
        load.finish();
    });
}

#[test]
fn a_canary_gets_the_traffic_that_ecs_gives_it() {
    on_each_engine(|engine| {
        let (old, new) = (upstream(), upstream());
        let mut known = tasks(&[old.address(), new.address()]);
        known[1].deployment = "ecs-svc/2".to_owned();
        let aws = FakeAws::start(known);
        aws.change(|world| {
            world.deployments =
                vec![("ecs-svc/2".into(), "PRIMARY"), ("ecs-svc/1".into(), "ACTIVE")];
            world.traffic = Some((0.0, 100.0));
        });
        let rig = Rig::start_on(engine, aws, "deployment_weights: ecs");
        rig.wait_for_reason("b", "no production traffic");
        let load = Load::start(rig.proxy.port("listener"), 1);
        load.wait_for(20);
        assert_eq!(new.requests().len(), 0);
        rig.aws.change(|world| world.traffic = Some((20.0, 80.0)));
        rig.wait_for_hosts(2);
        eventually("all of its share", || {
            let row = format!("backend::{}::weight::20000\n", new.address());
            rig.proxy.admin().get("/clusters").text().contains(&row).then_some(())
        });
        let from = (old.requests().len(), new.requests().len());
        load.wait_for(200);
        load.finish();
        let (old, new) = (old.requests().len() - from.0, new.requests().len() - from.1);
        assert!((old as f64 / new as f64 - 4.0).abs() < 0.8, "{old} and {new}");
    });
}

#[test]
fn tasks_on_instances_are_reached_by_the_port_that_leads_to_them() {
    on_each_engine(|engine| {
        let upstreams = [upstream(), upstream(), upstream()];
        let on = |at: usize, instance| FakeTask {
            instance: Some(instance),
            ..FakeTask::running(["a", "b", "c"][at], upstreams[at].address())
        };
        let aws = FakeAws::start(vec![on(0, "i-1"), on(1, "i-2")]);
        aws.change(|world| world.draining = Some("i-2"));
        let rig = Rig::start_on(engine, aws, "");
        rig.wait_for_hosts(2);
        let clusters = rig.proxy.admin().get("/clusters").text();
        // An instance that drains is asked less.
        for (upstream, weight) in upstreams.iter().zip([10, 1]) {
            let row = format!("backend::{}::weight::{weight}\n", upstream.address());
            assert!(clusters.contains(&row), "{row} is not in {clusters}");
        }
        let load = Load::start(rig.proxy.port("listener"), 2);
        load.wait_for(50);
        rig.aws.change(|world| {
            world.tasks.push(on(2, "i-3"));
            world.faults.insert("DescribeInstances", Fault::Error(503, "RequestLimitExceeded"));
        });
        rig.wait_for_reason("c", "EC2 has not told the address of its instance yet");
        rig.wait_for_more("throttled", 1);
        assert_eq!(rig.hosts(), 2);
        rig.aws.change(|world| world.faults.clear());
        let served = upstreams[2].requests().len();
        rig.wait_for_hosts(3);
        upstreams[2].wait_for_requests(served + 1);
        load.wait_for(50);
        load.finish();
    });
}

#[test]
fn clusters_and_ecs_tell_where_a_task_runs() {
    on_each_engine(|engine| {
        let one = upstream();
        let rig = Rig::start(engine, tasks(&[one.address()]), "");
        let clusters = rig.proxy.admin().get("/clusters").text();
        let address = one.address();
        assert!(
            clusters.contains(&format!("backend::{address}::zone::eu-west-1b\n")),
            "{clusters}"
        );
        assert!(clusters.contains(r#""ecs.service":"web""#), "{clusters}");
        let text = rig.proxy.admin().get("/ecs").text();
        let row = format!(
            "a {address} zone=eu-west-1b revision=web:{} deployment=ecs-svc/1 desired=RUNNING \
         last=RUNNING health=HEALTHY weight=1 in: RUNNING and not UNHEALTHY",
            address.port()
        );
        assert!(text.contains("ecs::prod::eu-west-1\n") && text.contains(&row), "{text}");
    });
}

#[test]
fn thousands_of_tasks_are_listed_in_pages_and_described_in_batches() {
    on_each_engine(|engine| {
        let one = upstream();
        let many: Vec<FakeTask> = (0..1050)
            .map(|number| FakeTask::running(&format!("t{number:04}"), one.address()))
            .collect();
        let rig = Rig::start(engine, many, "");
        rig.wait_for_hosts(1050);
        let load = Load::start(rig.proxy.port("listener"), 1);
        assert_eq!((rig.aws.largest_batch(), rig.aws.calls("DescribeTaskDefinition")), (100, 1));
        eventually("whole polls of eleven pages", || {
            rig.aws.calls("ListTasks").is_multiple_of(11).then_some(())
        });
        // Settled tasks cost one batch a poll.
        let (listed, described) = (rig.aws.calls("ListTasks"), rig.aws.calls("DescribeTasks"));
        eventually("the next poll", || (rig.aws.calls("ListTasks") >= listed + 11).then_some(()));
        let batches = rig.aws.calls("DescribeTasks") - described;
        let polls = (rig.aws.calls("ListTasks") - listed) / 11;
        // One poll may have listed its tasks, and not asked about any, when the counting began.
        assert!(batches <= polls + 1, "{batches} in {polls}");
        // A deployment replaces all of them.
        rig.aws.change(|world| {
            let task = |number| FakeTask::running(&format!("u{number:04}"), one.address());
            world.tasks = (0..1050).map(task).collect();
        });
        rig.wait_for_reason("u1049", "in: RUNNING");
        rig.wait_for_hosts(1050);
        load.wait_for(20);
        load.finish();
    });
}
