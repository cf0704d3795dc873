//! A fake of the AWS APIs that discovery calls, scripted: what it tells is data, and what goes wrong
//! is a fault that the test sets. It speaks ECS and Cloud Map (JSON) and EC2 (query, XML).

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

/// The account and region of everything.
const PREFIX: &str = "arn:aws:ecs:eu-west-1:123456789012";

/// A task as the fake tells it.
#[derive(Debug, Clone)]
pub struct FakeTask {
    /// The end of its ARN.
    pub id: String,
    /// The service that runs it.
    pub service: String,
    /// Where it is.
    pub address: SocketAddr,
    /// `desiredStatus`.
    pub desired: &'static str,
    /// `lastStatus`.
    pub last: &'static str,
    /// `healthStatus`.
    pub health: &'static str,
    /// `startedBy`.
    pub deployment: String,
    /// Whether ListTasks has it, apart from its desired status.
    pub listed: bool,
    /// Whether DescribeTasks knows it.
    pub known: bool,
    /// Whether DescribeTasks tells its network interface.
    pub attached: bool,
    /// The EC2 instance that it runs on, where it has no network interface of its own: its address is the
    /// instance's, its port that of the instance which leads to [`BRIDGED_PORT`].
    pub instance: Option<&'static str>,
}

/// The container port of tasks on instances.
pub const BRIDGED_PORT: u16 = 8080;

impl FakeTask {
    /// A running task of the service `web` at `address`.
    pub fn running(id: &str, address: SocketAddr) -> Self {
        Self {
            id: id.to_owned(),
            service: "web".to_owned(),
            address,
            desired: "RUNNING",
            last: "RUNNING",
            health: "HEALTHY",
            deployment: "ecs-svc/1".to_owned(),
            listed: true,
            known: true,
            attached: true,
            instance: None,
        }
    }

    fn arn(&self) -> String {
        format!("{PREFIX}:task/prod/{}", self.id)
    }

    /// Each port has a task definition of its own; 1 is that of tasks on instances.
    fn definition(&self) -> String {
        let revision = if self.instance.is_some() { 1 } else { self.address.port() };
        format!("{PREFIX}:task-definition/web:{revision}")
    }
}

/// What goes wrong with a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// An error as AWS writes it: status and code.
    Error(u16, &'static str),
    /// Bytes that are no answer.
    Garbage(&'static str),
    /// The answer stops in its middle.
    CutShort,
    /// No answer at all: the connection closes.
    Closed,
    /// No answer at all: silence.
    Silent,
    /// All but the first page.
    ErrorOnLaterPages(u16, &'static str),
    /// Silence on all but the first page.
    SilentOnLaterPages,
    /// An empty answer, with success.
    Empty,
    /// Objects that have their names and nothing else.
    Hollow,
    /// Each page says that another follows, and is the same one.
    SamePage,
}

/// What the fake knows.
#[derive(Debug, Default)]
pub struct World {
    /// Every task.
    pub tasks: Vec<FakeTask>,
    /// `desiredCount` of the services; absent ones are unknown.
    pub services: BTreeMap<String, i64>,
    /// The service that ListTasks says is not there.
    pub absent: Option<&'static str>,
    /// Deployments of the service `web`: id and status.
    pub deployments: Vec<(String, &'static str)>,
    /// Production traffic weights of target and source.
    pub traffic: Option<(f64, f64)>,
    /// By action.
    pub faults: BTreeMap<&'static str, Fault>,
    /// Tasks on a page of ListTasks.
    pub page: usize,
    /// Instances of Cloud Map, and their revision.
    pub instances: Vec<(String, SocketAddr)>,
    /// Whether they tell no port.
    pub portless: bool,
    /// `InstancesRevision`.
    pub revision: i64,
    /// Every call, by action.
    pub calls: BTreeMap<String, usize>,
    /// The instance that is on its way out.
    pub draining: Option<&'static str>,
    /// Fields of all task definitions in place of their own.
    pub definition: Map<String, Value>,
    /// The most tasks that one DescribeTasks asked for.
    pub largest_batch: usize,
    /// How far its clock is ahead of the machine's. What was signed at another time is refused.
    pub clock_ahead: SignedDuration,
}

/// A running fake.
#[derive(Clone)]
pub struct FakeAws {
    address: SocketAddr,
    world: Arc<Mutex<World>>,
}

impl FakeAws {
    /// Starts one that knows `tasks`.
    pub fn start(tasks: Vec<FakeTask>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind on loopback");
        let address = listener.local_addr().expect("a bound socket has an address");
        let services = [("web".to_owned(), tasks.len() as i64)].into();
        let world = World { tasks, services, page: 100, ..World::default() };
        let fake = Self { address, world: Arc::new(Mutex::new(world)) };
        let serving = fake.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let fake = serving.clone();
                thread::spawn(move || fake.serve(stream));
            }
        });
        fake
    }

    /// The endpoint to configure.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes the world.
    pub fn change(&self, change: impl FnOnce(&mut World)) {
        change(&mut self.world.lock().expect("no fake panics"));
    }

    /// How often `action` was called.
    pub fn calls(&self, action: &str) -> usize {
        let world = self.world.lock().expect("no fake panics");
        world.calls.get(action).copied().unwrap_or_default()
    }

    /// The most tasks that one DescribeTasks asked for.
    pub fn largest_batch(&self) -> usize {
        self.world.lock().expect("no fake panics").largest_batch
    }

    fn serve(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().expect("a socket can be shared"));
        while let Some(call) = read_call(&mut reader) {
            if !self.answer(&stream, &call) {
                return;
            }
        }
    }

    /// Answers a call; whether the connection goes on.
    fn answer(&self, mut stream: &TcpStream, call: &Call) -> bool {
        let Call { action, body, .. } = call;
        let input: Value = serde_json::from_str(body).unwrap_or_default();
        let (fault, answer, now) = {
            let mut world = self.world.lock().expect("no fake panics");
            *world.calls.entry(action.clone()).or_default() += 1;
            let now = Timestamp::now() + world.clock_ahead;
            let was_signed_now = now.duration_since(call.signed_at).abs() < SIGNED_WITHIN;
            let asks_for_absent = action == "ListTasks"
                && world.absent.is_some_and(|absent| input["serviceName"] == absent);
            let fault = match was_signed_now {
                true if asks_for_absent => Some(Fault::Error(400, "ServiceNotFoundException")),
                true => world.faults.get(&**action).cloned(),
                false => Some(Fault::Error(400, "InvalidSignatureException")),
            };
            (fault, world.answer(action, body), now)
        };
        let head = |status, length| head(status, length, now);
        let first_page = input.get("nextToken").is_none_or(Value::is_null);
        let (status, text) = match fault {
            Some(Fault::ErrorOnLaterPages(..) | Fault::SilentOnLaterPages) if first_page => {
                (200, answer)
            }
            Some(Fault::Error(status, code) | Fault::ErrorOnLaterPages(status, code)) => {
                let error = json!({ "__type": code, "message": "as scripted" }).to_string();
                let xml = format!(
                    "<Response><Errors><Error><Code>{code}</Code><Message>as scripted</Message>\
                     </Error></Errors></Response>"
                );
                (status, if action == "DescribeInstances" { xml } else { error })
            }
            Some(Fault::Garbage(bytes)) => (200, bytes.to_owned()),
            Some(Fault::Empty) => (200, json!({ "taskArns": [], "Instances": [] }).to_string()),
            Some(Fault::SamePage) => {
                (200, answer.replace("\"nextToken\":null", "\"nextToken\":\"0\""))
            }
            Some(Fault::Hollow) => (200, hollow(&answer)),
            Some(Fault::Closed) => return false,
            Some(Fault::Silent | Fault::SilentOnLaterPages) => {
                let mut rest = Vec::new();
                // Until the caller gives up.
                let _gone = stream.read_to_end(&mut rest);
                return false;
            }
            Some(Fault::CutShort) => {
                let half = &answer[..answer.len() / 2];
                let head = head(200, answer.len());
                let _gone = stream.write_all(format!("{head}{half}").as_bytes());
                return false;
            }
            None => (200, answer),
        };
        let text = format!("{}{text}", head(status, text.len()));
        stream.write_all(text.as_bytes()).is_ok()
    }
}

/// `answer` with the names of its objects only.
fn hollow(answer: &str) -> String {
    let mut answer: Value = serde_json::from_str(answer).expect("the fake writes JSON");
    let fields = answer.as_object_mut().expect("an object").values_mut();
    let objects = fields.flat_map(|field| match field {
        Value::Array(objects) => objects.iter_mut().collect(),
        one => vec![one],
    });
    for object in objects.filter_map(Value::as_object_mut) {
        object.retain(|key, _| {
            matches!(key.as_str(), "taskArn" | "serviceName" | "family" | "InstanceId")
        });
    }
    answer.to_string()
}

/// AWS believes signatures for so long.
const SIGNED_WITHIN: SignedDuration = SignedDuration::from_mins(5);

fn head(status: u16, length: usize, now: Timestamp) -> String {
    let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT");
    format!(
        "HTTP/1.1 {status} Scripted\r\ncontent-type: application/x-amz-json-1.1\r\ndate: {date}\r\n\
         content-length: {length}\r\n\r\n"
    )
}

/// A request.
struct Call {
    action: String,
    body: String,
    /// `x-amz-date`.
    signed_at: Timestamp,
}

/// The next request; `None` when the caller has gone.
fn read_call(reader: &mut BufReader<TcpStream>) -> Option<Call> {
    let (mut length, mut action, mut line) = (0, String::new(), String::new());
    let mut signed_at = Timestamp::UNIX_EPOCH;
    loop {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            if line == "\r\n" {
                break;
            }
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "x-amz-date" => {
                signed_at =
                    Timestamp::strptime("%Y%m%dT%H%M%S%z", value.replace('Z', "+0000")).ok()?
            }
            "x-amz-target" => action = value.rsplit('.').next()?.to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).ok()?;
    if action.is_empty() {
        action = "DescribeInstances".to_owned();
    }
    Some(Call { action, body, signed_at })
}

impl World {
    fn answer(&mut self, action: &str, body: &str) -> String {
        let input: Value = serde_json::from_str(body).unwrap_or_default();
        match action {
            "ListTasks" => self.list(&input).to_string(),
            "DescribeTasks" => self.describe(&input).to_string(),
            "DescribeTaskDefinition" => {
                let mut told = definition(&input);
                let fields = told["taskDefinition"].as_object_mut().expect("an object");
                fields.extend(self.definition.clone());
                told.to_string()
            }
            "DescribeContainerInstances" => self.describe_container_instances(&input).to_string(),
            "DescribeInstances" => self.describe_instances(body),
            "DescribeServices" => self.describe_services(&input).to_string(),
            "ListServiceDeployments" => {
                let arn = format!("{PREFIX}:service-deployment/prod/web/1");
                json!({ "serviceDeployments": [{ "serviceDeploymentArn": arn }] }).to_string()
            }
            "DescribeServiceDeployments" => self.describe_deployment().to_string(),
            "DiscoverInstancesRevision" => {
                json!({ "InstancesRevision": self.revision }).to_string()
            }
            "DiscoverInstances" => self.discover().to_string(),
            other => panic!("the fake does not know {other}"),
        }
    }

    fn list(&self, input: &Value) -> Value {
        let service = input["serviceName"].as_str();
        let arns: Vec<String> = self
            .tasks
            .iter()
            .filter(|task| task.listed && task.desired == "RUNNING")
            .filter(|task| service.is_none_or(|service| service == task.service))
            .map(FakeTask::arn)
            .collect();
        let from: usize = input["nextToken"].as_str().map_or(0, |at| at.parse().expect("ours"));
        let to = (from + self.page).min(arns.len());
        let next = (to < arns.len()).then(|| to.to_string());
        json!({ "taskArns": arns[from..to], "nextToken": next })
    }

    fn describe(&mut self, input: &Value) -> Value {
        let asked: Vec<&str> =
            input["tasks"].as_array().expect("tasks").iter().filter_map(Value::as_str).collect();
        self.largest_batch = self.largest_batch.max(asked.len());
        let find = |arn: &&str| self.tasks.iter().find(|task| task.known && task.arn() == **arn);
        let tasks: Vec<Value> = asked.iter().filter_map(find).map(describe).collect();
        let missing = asked.iter().filter(|arn| find(arn).is_none());
        let failures: Vec<Value> =
            missing.map(|arn| json!({ "arn": arn, "reason": "MISSING" })).collect();
        json!({ "tasks": tasks, "failures": failures })
    }

    fn describe_container_instances(&self, input: &Value) -> Value {
        let asked = input["containerInstances"].as_array().expect("a list").iter();
        let told = asked.filter_map(Value::as_str).map(|arn| {
            let id = arn.rsplit('/').next().expect("an id");
            let status = if self.draining == Some(id) { "DRAINING" } else { "ACTIVE" };
            json!({ "containerInstanceArn": arn, "ec2InstanceId": id, "status": status })
        });
        json!({ "containerInstances": told.collect::<Vec<_>>(), "failures": [] })
    }

    /// Whatever EC2 is asked for, it tells of all.
    fn describe_instances(&self, form: &str) -> String {
        let instance = |task: &FakeTask| {
            let id = task.instance.filter(|id| form.contains(id))?;
            Some(format!(
                "<item><instanceId>{id}</instanceId><privateIpAddress>{}</privateIpAddress>\
                 <placement><availabilityZone>eu-west-1a</availabilityZone></placement></item>",
                task.address.ip()
            ))
        };
        let instances: String = self.tasks.iter().filter_map(instance).collect();
        format!(
            "<DescribeInstancesResponse><reservationSet><item><instancesSet>{instances}\
             </instancesSet></item></reservationSet></DescribeInstancesResponse>"
        )
    }

    fn describe_services(&self, input: &Value) -> Value {
        let asked = input["services"].as_array().expect("services").iter();
        let asked: Vec<&str> = asked.filter_map(Value::as_str).collect();
        let missing = asked.iter().filter(|name| !self.services.contains_key(**name));
        let failures: Vec<Value> = missing
            .map(|name| format!("{PREFIX}:service/prod/{name}"))
            .map(|arn| json!({ "arn": arn, "reason": "MISSING" }))
            .collect();
        let services: Vec<Value> = asked
            .iter()
            .filter_map(|name| Some((name, self.services.get(*name)?)))
            .map(|(name, desired)| {
                let deployments: Vec<Value> = self
                    .deployments
                    .iter()
                    .map(|(id, status)| json!({ "id": id, "status": status }))
                    .collect();
                json!({ "serviceName": name, "status": "ACTIVE", "desiredCount": desired, "runningCount": desired,
                        "deployments": deployments })
            })
            .collect();
        json!({ "services": services, "failures": failures })
    }

    fn describe_deployment(&self) -> Value {
        let revision = |weight: Option<f64>| {
            json!({ "requestedProductionTrafficWeight": weight, "requestedTaskCount": 1,
                    "runningTaskCount": 1, "pendingTaskCount": 0 })
        };
        json!({ "serviceDeployments": [{
            "targetServiceRevision": revision(self.traffic.map(|traffic| traffic.0)),
            "sourceServiceRevisions": [revision(self.traffic.map(|traffic| traffic.1))],
        }] })
    }

    fn discover(&self) -> Value {
        let instances: Vec<Value> = self
            .instances
            .iter()
            .map(|(id, address)| {
                let port = (!self.portless).then(|| address.port().to_string());
                json!({ "InstanceId": id, "HealthStatus": "HEALTHY", "Attributes": {
                    "AWS_INSTANCE_IPV4": address.ip().to_string(),
                    "AWS_INSTANCE_PORT": port,
                    "AVAILABILITY_ZONE": "eu-west-1c",
                }})
            })
            .collect();
        json!({ "Instances": instances, "InstancesRevision": self.revision })
    }
}

fn describe(task: &FakeTask) -> Value {
    let mut told = json!({
        "taskArn": task.arn(),
        "group": format!("service:{}", task.service),
        "startedBy": task.deployment,
        "taskDefinitionArn": task.definition(),
        "desiredStatus": task.desired,
        "lastStatus": task.last,
        "healthStatus": task.health,
        "availabilityZone": "eu-west-1b",
        "launchType": if task.instance.is_some() { "EC2" } else { "FARGATE" },
        "containers": [{ "name": "app", "lastStatus": task.last }],
    });
    let (ip, port) = (task.address.ip(), task.address.port());
    if let Some(id) = task.instance {
        told["containerInstanceArn"] = json!(format!("{PREFIX}:container-instance/prod/{id}"));
        told["containers"][0]["networkBindings"] = json!([{ "bindIP": "0.0.0.0",
            "containerPort": BRIDGED_PORT, "hostPort": port, "protocol": "tcp" }]);
    } else if task.attached {
        let family = if ip.is_ipv4() { "privateIPv4Address" } else { "privateIPv6Address" };
        told["attachments"] = json!([{ "type": "ElasticNetworkInterface", "status": "ATTACHED",
            "details": [{ "name": family, "value": ip.to_string() }] }]);
    }
    told
}

fn definition(input: &Value) -> Value {
    let arn = input["taskDefinition"].as_str().expect("an ARN");
    let revision: u16 = arn.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let (mode, port) = match revision {
        1 => ("bridge", BRIDGED_PORT),
        port => ("awsvpc", port),
    };
    json!({ "taskDefinition": {
        "family": "web", "revision": revision, "networkMode": mode,
        "containerDefinitions": [{
            "name": "app",
            "portMappings": [{ "containerPort": port, "protocol": "tcp", "name": "http" }],
            "healthCheck": { "command": ["true"] },
        }],
    }})
}
