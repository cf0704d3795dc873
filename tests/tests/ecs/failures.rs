//! Whatever goes wrong with the API, no host is lost and no request fails.

use jiff::SignedDuration;
use ringmain_tests::aws::{FakeAws, FakeTask, Fault};
use ringmain_tests::client::Client;
use ringmain_tests::load::Load;
use ringmain_tests::port::RefusingPort;
use ringmain_tests::upstream::{Upstream, ok};
use ringmain_tests::wait::eventually;

use crate::rig::{Rig, SUSPECT, on_each_engine, tasks, tasks_of, upstream};

#[test]
fn no_failure_takes_a_host_away() {
    on_each_engine(|engine| {
        let (rig, _upstreams) = Rig::pair(engine, "");
        let load = Load::start(rig.proxy.port("listener"), 2);
        for (action, fault) in [
            ("ListTasks", Fault::Error(400, "ThrottlingException")),
            ("ListTasks", Fault::Error(500, "ServerException")),
            ("ListTasks", Fault::Garbage("{")),
            ("ListTasks", Fault::Garbage("{}")),
            ("ListTasks", Fault::Garbage("<html>captive portal</html>")),
            ("ListTasks", Fault::CutShort),
            ("ListTasks", Fault::Closed),
            ("ListTasks", Fault::Silent),
            ("ListTasks", Fault::SamePage),
            ("ListTasks", Fault::Error(400, "ExpiredTokenException")),
            ("DescribeTasks", Fault::Error(400, "ThrottlingException")),
            ("DescribeTasks", Fault::Error(503, "ServiceUnavailable")),
            ("DescribeTasks", Fault::Garbage("{}")),
            ("DescribeTasks", Fault::Hollow),
            ("DescribeTasks", Fault::CutShort),
            ("DescribeTasks", Fault::Closed),
            ("DescribeTasks", Fault::Silent),
        ] {
            rig.aws.change(|world| {
                world.faults.insert(action, fault.clone());
            });
            rig.wait_for_more("poll_failure", 1);
            assert_eq!(rig.hosts(), 2, "{action}: {fault:?}");
            rig.aws.change(|world| world.faults.clear());
            rig.wait_for_more("poll_success", 1);
            assert_eq!(rig.hosts(), 2, "after {action}: {fault:?}");
        }
        load.wait_for(20);
        load.finish();
        assert!(rig.ecs_stat("throttled") >= 2);
        assert!(rig.ecs_stat("credentials_refresh_failure") >= 1);
        rig.wait_for_log("ECS answers again");
    });
}

#[test]
fn a_listing_that_breaks_off_adds_and_removes_nobody_by_absence() {
    on_each_engine(|engine| {
        let upstreams = [upstream(), upstream(), upstream()];
        for fault in [Fault::ErrorOnLaterPages(500, "ServerException"), Fault::SilentOnLaterPages] {
            let aws = FakeAws::start(tasks_of(&upstreams));
            aws.change(|world| world.page = 2);
            let rig = Rig::start_on(engine, aws, "");
            rig.wait_for_hosts(3);
            let load = Load::start(rig.proxy.port("listener"), 1);
            rig.aws.change(|world| {
                world.tasks[2].listed = false;
                world.page = 1;
                world.faults.insert("ListTasks", fault);
            });
            rig.wait_for_more("poll_failure", 2);
            assert_eq!(rig.hosts(), 3);
            // What DescribeTasks says meanwhile is used.
            rig.aws.change(|world| world.tasks[2].known = false);
            rig.wait_for_hosts(2);
            rig.aws.change(|world| world.faults.clear());
            rig.wait_for_more("poll_success", 1);
            assert_eq!(rig.hosts(), 2);
            load.finish();
        }
    });
}

#[test]
fn a_burst_of_throttling_slows_the_polls_down_and_takes_nobody_away() {
    on_each_engine(|engine| {
        let (rig, [_one, two]) = Rig::pair(engine, "");
        let load = Load::start(rig.proxy.port("listener"), 2);
        rig.aws.change(|world| {
            for action in ["ListTasks", "DescribeTasks", "DescribeTaskDefinition"] {
                world.faults.insert(action, Fault::Error(400, "ThrottlingException"));
            }
            world.tasks[1] = FakeTask::running("c", two.address());
        });
        rig.wait_for_more("throttled", 3);
        assert_eq!(rig.hosts(), 2);
        assert!(rig.interval_ms() > 1000);
        rig.aws.change(|world| world.faults.clear());
        rig.wait_for_reason("c", "in: RUNNING");
        rig.wait_for_hosts(2);
        load.wait_for(20);
        load.finish();
    });
}

#[test]
fn throttling_of_other_calls_does_not_slow_the_polls_down() {
    on_each_engine(|engine| {
        let upstreams = [upstream(), upstream(), upstream()];
        let mut known = tasks_of(&upstreams);
        let new = known.pop().expect("three");
        let rig = Rig::start(engine, known, "");
        rig.wait_for_hosts(2);
        let load = Load::start(rig.proxy.port("listener"), 1);
        rig.aws.change(|world| {
            let fault = Fault::Error(400, "ThrottlingException");
            world.faults.insert("DescribeTaskDefinition", fault);
            world.tasks.push(new);
        });
        rig.wait_for_more("throttled", 2);
        assert_eq!(rig.interval_ms(), 1000);
        rig.aws.change(|world| world.tasks[0].desired = "STOPPED");
        rig.wait_for_hosts(1);
        assert!(!rig.proxy.stderr().contains("ECS answers again"));
        rig.aws.change(|world| world.faults.clear());
        rig.wait_for_hosts(2);
        rig.wait_for_log("ECS answers again");
        load.wait_for(10);
        load.finish();
    });
}

#[test]
fn calls_are_signed_by_the_time_at_aws_where_the_machine_has_another() {
    on_each_engine(|engine| {
        let (one, two) = (upstream(), upstream());
        let rig = Rig::start(engine, tasks(&[one.address()]), "");
        rig.wait_for_hosts(1);
        let load = Load::start(rig.proxy.port("listener"), 1);
        for ahead in
            [SignedDuration::from_hours(5), SignedDuration::from_hours(-1), SignedDuration::ZERO]
        {
            // Only one poll fails by it.
            let failed = rig.ecs_stat("poll_failure");
            rig.aws.change(|world| world.clock_ahead = ahead);
            rig.wait_for_at_least("poll_failure", failed + 1);
            assert_eq!(rig.hosts(), 1, "{ahead}");
            rig.wait_for_more("poll_success", 1);
        }
        rig.aws.change(|world| world.tasks.push(FakeTask::running("b", two.address())));
        rig.wait_for_hosts(2);
        two.wait_for_requests(1);
        load.finish();
        rig.wait_for_log("s ahead of this machine's clock: set it");
    });
}

#[test]
fn what_a_partial_answer_says_is_used() {
    on_each_engine(|engine| {
        let (rig, _upstreams) = Rig::pair(engine, "");
        let load = Load::start(rig.proxy.port("listener"), 1);
        rig.aws.change(|world| {
            world.tasks[0].desired = "STOPPED";
            world.faults.insert("ListTasks", Fault::Error(500, "ServerException"));
        });
        rig.wait_for_hosts(1);
        load.wait_for(10);
        load.finish();
    });
}

#[test]
fn an_empty_answer_is_not_believed_before_its_grace() {
    on_each_engine(|engine| {
        let (rig, _upstreams) = Rig::pair(engine, "empty_set_grace: 5s");
        let load = Load::start(rig.proxy.port("listener"), 1);
        rig.aws.change(|world| {
            for task in &mut world.tasks {
                (task.listed, task.known) = (false, false);
            }
        });
        rig.wait_for_more("empty_ignored", 2);
        assert_eq!(rig.hosts(), 2);
        load.wait_for(10);
        load.finish();
        rig.wait_for_hosts(0);
    });
}

#[test]
fn a_service_scaled_to_zero_is_empty_at_once() {
    on_each_engine(|engine| {
        let one = upstream();
        let rig = Rig::start(engine, tasks(&[one.address()]), "");
        rig.wait_for_hosts(1);
        rig.aws.change(|world| {
            world.services.insert("web".into(), 0);
            (world.tasks[0].listed, world.tasks[0].known) = (false, false);
        });
        rig.wait_for_hosts(0);
        assert_eq!(rig.ecs_stat("empty_ignored"), 0);
    });
}

#[test]
fn what_a_service_said_before_does_not_make_it_empty() {
    on_each_engine(|engine| {
        let one = upstream();
        // A service that was just made has no task yet, and says so.
        let rig = Rig::start(engine, Vec::new(), "");
        rig.wait_for_more("poll_success", 1);
        rig.aws.change(|world| {
            world.services.insert("web".into(), 1);
            world.tasks = tasks(&[one.address()]);
        });
        rig.wait_for_hosts(1);
        let load = Load::start(rig.proxy.port("listener"), 1);
        for fault in [Fault::Error(500, "ServerException"), Fault::Hollow, Fault::CutShort] {
            rig.aws.change(|world| {
                (world.tasks[0].listed, world.tasks[0].known) = (false, false);
                world.faults.insert("DescribeServices", fault.clone());
            });
            rig.wait_for_more("empty_ignored", 1);
            assert_eq!(rig.hosts(), 1, "{fault:?}");
            assert!(!rig.proxy.stderr().contains("ECS has no service"), "{fault:?}");
            rig.wait_for_reason("a", "in for now: no longer named, which is to be confirmed");
            assert_eq!((rig.ecs_stat("tasks_seen"), rig.ecs_stat("tasks_ready")), (0, 1));
            rig.aws.change(|world| {
                world.faults.clear();
                world.tasks = tasks(&[one.address()]);
            });
            rig.wait_for_reason("a", "in: RUNNING");
        }
        load.wait_for(10);
        load.finish();
    });
}

#[test]
fn a_task_whose_address_is_not_told_keeps_its_host() {
    on_each_engine(|engine| {
        let (rig, [one, _two]) = Rig::pair(engine, "");
        let load = Load::start(rig.proxy.port("listener"), 1);
        rig.aws.change(|world| world.tasks[0].attached = false);
        rig.wait_for_reason("a", "in for now: ECS tells no network interface of it yet");
        rig.wait_for_more("poll_success", 1);
        assert_eq!(rig.hosts(), 2);
        one.wait_for_requests(one.requests().len() + 5);
        rig.aws.change(|world| world.tasks[0].attached = true);
        rig.wait_for_reason("a", "in: RUNNING");
        load.finish();
    });
}

#[test]
fn a_definition_that_came_hollow_is_asked_for_again() {
    on_each_engine(|engine| {
        let (one, two) = (upstream(), upstream());
        let rig = Rig::start(engine, tasks(&[one.address()]), "");
        rig.wait_for_hosts(1);
        let load = Load::start(rig.proxy.port("listener"), 1);
        rig.aws.change(|world| {
            world.tasks.push(FakeTask::running("b", two.address()));
            world.faults.insert("DescribeTaskDefinition", Fault::Hollow);
        });
        rig.wait_for_reason("b", "its task definition is not known yet");
        rig.wait_for_more("poll_failure", 1);
        assert_eq!(rig.hosts(), 1);
        rig.aws.change(|world| world.faults.clear());
        rig.wait_for_hosts(2);
        two.wait_for_requests(1);
        load.finish();
    });
}

#[test]
fn a_suspect_stays_out_while_weights_change() {
    on_each_engine(|engine| {
        let upstreams = [upstream(), upstream(), upstream()];
        let mut known = tasks_of(&upstreams);
        known[2].deployment = "ecs-svc/2".to_owned();
        let aws = FakeAws::start(known);
        aws.change(|world| {
            world.deployments =
                vec![("ecs-svc/2".into(), "PRIMARY"), ("ecs-svc/1".into(), "ACTIVE")];
            world.traffic = Some((10.0, 90.0));
        });
        let rig = Rig::start_on(engine, aws, "deployment_weights: ecs");
        rig.wait_for_hosts(3);
        let load = Load::start(rig.proxy.port("listener"), 2);
        load.wait_for(20);
        // Nothing is known of it: whether it is in again is ours to decide.
        rig.aws.change(|world| {
            world.faults.insert("DescribeTasks", Fault::Error(500, "ServerException"));
        });
        rig.wait_for_more("poll_failure", 1);
        let [gone, _old, new] = upstreams;
        let address = gone.address();
        drop(gone);
        rig.wait_until_suspect(address);
        rig.aws.change(|world| world.traffic = Some((90.0, 10.0)));
        eventually("the last step", || rig.has_row(new.address(), "weight::90000").then_some(()));
        assert!(rig.has_row(address, SUSPECT));
        load.wait_for(20);
        load.finish();
    });
}

#[test]
fn a_suspect_comes_back_though_ecs_answers_nothing_but_errors() {
    on_each_engine(|engine| {
        let (port, other) = (RefusingPort::bind(), upstream());
        let rig = Rig::start(engine, tasks(&[port.address(), other.address()]), "");
        rig.wait_for_hosts(2);
        rig.aws.change(|world| {
            for action in ["ListTasks", "DescribeTasks"] {
                world.faults.insert(action, Fault::Error(500, "ServerException"));
            }
        });
        rig.wait_for_more("poll_failure", 1);
        let load = Load::start(rig.proxy.port("listener"), 2);
        rig.wait_until_suspect(port.address());
        let back = Upstream::start_on(port.listen(), vec![ok()]);
        // It is suspect for half a minute.
        back.wait_for_requests(5);
        assert!(rig.has_row(back.address(), "health_flags::healthy"));
        assert!(!rig.errors().is_empty(), "ECS answers again");
        load.finish();
    });
}

#[test]
fn the_loss_of_most_hosts_is_confirmed_first() {
    on_each_engine(|engine| {
        let upstreams = [upstream(), upstream(), upstream(), upstream()];
        let rig = Rig::start(engine, tasks_of(&upstreams), "");
        rig.wait_for_hosts(4);
        let load = Load::start(rig.proxy.port("listener"), 1);
        rig.aws.change(|world| {
            for task in &mut world.tasks[1..] {
                (task.listed, task.known) = (false, false);
            }
        });
        rig.wait_for_hosts(1);
        assert_eq!(rig.ecs_stat("mass_removal_held"), 1);
        load.wait_for(10);
        load.finish();
    });
}

#[test]
fn a_restart_while_the_api_is_down_serves_from_the_snapshot() {
    on_each_engine(|engine| {
        let one = upstream();
        let aws = FakeAws::start(tasks(&[one.address()]));
        let scratch = ringmain_tests::workspace::scratch("snapshot");
        let snapshot = format!("snapshot_path: {}/hosts.json", scratch.display());
        let first = Rig::start_on(engine, aws.clone(), &snapshot);
        first.wait_for_hosts(1);
        eventually("the snapshot", || scratch.join("hosts.json").exists().then_some(()));
        drop(first);
        aws.change(|world| {
            world.faults.insert("ListTasks", Fault::Error(500, "ServerException"));
        });
        let second =
            Rig::start_on(engine, aws, &format!("{snapshot}\nwait_for_first_discovery: 1s"));
        assert_eq!(second.hosts(), 1);
        let mut client = Client::connect(second.proxy.port("listener"));
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        assert_eq!(client.read_response().expect("an answer").status(), Some(200));
        eventually("the end of the first poll", || {
            second.proxy.admin().get("/ecs").text().contains("stale: ").then_some(())
        });
    });
}
