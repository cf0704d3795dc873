//! The calls, each within the budget, paged and batched as the API wants them.

use std::collections::HashMap;
use std::sync::Arc;

use aws_config::SdkConfig;
use aws_sdk_ecs::types::{ServiceDeploymentStatus, TaskField};
use ringmain_config::aws::AwsAccess;
use ringmain_config::ecs_cluster::TasksOf;

use super::convert;
use super::deployment::{Service, Traffic};
use super::task::{Instance, Task, TaskDefinition, id_of};
use crate::cluster::Cluster;
use crate::discovery::aws::{self, Action, ApiError, Ec2Instance, ErrorKind, SharedBudget};

/// Tasks or container instances in one call.
pub const DESCRIBE_BATCH: usize = 100;
/// Services in one call.
const SERVICES_BATCH: usize = 10;
/// Instances in one call to EC2.
const INSTANCES_BATCH: usize = 200;

/// Asks about one ECS cluster.
#[derive(Debug)]
pub struct EcsClient {
    access: AwsAccess,
    /// Name or ARN of the ECS cluster.
    cluster: String,
    budget: SharedBudget,
    /// Whose stats count the calls.
    counted_in: Vec<Arc<Cluster>>,
    connected: Option<Connected>,
}

#[derive(Debug)]
struct Connected {
    config: SdkConfig,
    ecs: aws_sdk_ecs::Client,
}

/// What DescribeTasks came to.
#[derive(Debug, Default)]
pub struct Described {
    /// The tasks.
    pub tasks: Vec<Task>,
    /// Tasks that ECS does not know (any more), by ARN.
    pub missing: Vec<String>,
}

impl EcsClient {
    /// Not connected yet.
    pub fn new(
        access: AwsAccess,
        cluster: String,
        budget: SharedBudget,
        counted_in: Vec<Arc<Cluster>>,
    ) -> Self {
        Self { access, cluster, budget, counted_in, connected: None }
    }

    /// Name or ARN of the ECS cluster.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// The region in use, once it is known.
    pub fn region(&self) -> String {
        let region = self.connected.as_ref().and_then(|connected| connected.config.region());
        region.map(ToString::to_string).unwrap_or_default()
    }

    /// Finds region and credentials, unless that is done.
    pub async fn connect(&mut self) -> Result<(), ApiError> {
        if self.connected.is_some() {
            return Ok(());
        }
        let config = aws::connect(&self.access).await;
        if config.region().is_none() {
            return Err(ApiError::of(
                Action::ListTasks,
                ErrorKind::Invalid,
                "no region: write 'region', or set AWS_REGION",
            ));
        }
        let mut builder = aws_sdk_ecs::config::Builder::from(&config);
        if let Some(endpoint) = &self.access.endpoint {
            builder = builder.endpoint_url(endpoint);
        }
        let ecs = aws_sdk_ecs::Client::from_conf(builder.build());
        self.connected = Some(Connected { config, ecs });
        Ok(())
    }

    /// Forgets the credentials; the next `connect` asks for new ones.
    pub fn disconnect(&mut self) {
        self.connected = None;
    }

    async fn admitted(&self, action: Action) -> Result<&Connected, ApiError> {
        let connected = self
            .connected
            .as_ref()
            .ok_or_else(|| ApiError::of(action, ErrorKind::Credentials, "not connected to AWS"))?;
        self.budget.admit().await;
        for cluster in &self.counted_in {
            cluster.count_api_call(action.name());
        }
        Ok(connected)
    }

    /// ARNs of the tasks that ECS wants to run: of a service, of a family, or of the whole cluster.
    pub async fn list_tasks(&self, of: Option<&TasksOf>) -> Result<Vec<String>, ApiError> {
        let action = Action::ListTasks;
        let mut arns = Vec::new();
        let mut token = None;
        loop {
            let connected = self.admitted(action).await?;
            let mut call = connected.ecs.list_tasks().cluster(&self.cluster);
            call = match of {
                Some(TasksOf::Service(service)) => call.service_name(service),
                Some(TasksOf::Family(family)) => call.family(family),
                None => call,
            };
            let answer = call
                .desired_status(aws_sdk_ecs::types::DesiredStatus::Running)
                .max_results(DESCRIBE_BATCH as i32)
                .set_next_token(token.clone())
                .send()
                .await
                .map_err(|error| ApiError::new(action, &error).asked_for(|| self.asked(of)))?;
            // An object without the list is no answer, though it can be read as one.
            let page = answer.task_arns.ok_or_else(|| {
                ApiError::of(action, ErrorKind::Passing, "the answer has no 'taskArns'")
            })?;
            arns.extend(page);
            let next = answer.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                return Ok(arns);
            }
            if next == token {
                let message = "the answer's 'nextToken' leads to the same page again";
                return Err(ApiError::of(action, ErrorKind::Passing, message));
            }
            token = next;
        }
    }

    fn asked(&self, of: Option<&TasksOf>) -> String {
        let tasks = match of {
            Some(TasksOf::Service(service)) => format!("the tasks of service '{service}'"),
            Some(TasksOf::Family(family)) => format!("the tasks of family '{family}'"),
            None => "all tasks".to_owned(),
        };
        format!("{tasks} in cluster '{}' in region {}", self.cluster, self.region())
    }

    /// At most [`DESCRIBE_BATCH`] tasks.
    pub async fn describe_tasks(&self, arns: &[String]) -> Result<Described, ApiError> {
        let action = Action::DescribeTasks;
        let connected = self.admitted(action).await?;
        let answer = connected
            .ecs
            .describe_tasks()
            .cluster(&self.cluster)
            .set_tasks(Some(arns.to_vec()))
            .include(TaskField::Tags)
            .send()
            .await
            .map_err(|error| ApiError::new(action, &error))?;
        Ok(Described {
            tasks: answer.tasks().iter().filter_map(convert::task).collect(),
            missing: convert::missing(answer.failures()).map(str::to_owned).collect(),
        })
    }

    /// A task definition.
    pub async fn describe_definition(&self, arn: &str) -> Result<TaskDefinition, ApiError> {
        let action = Action::DescribeTaskDefinition;
        let connected = self.admitted(action).await?;
        let answer = connected
            .ecs
            .describe_task_definition()
            .task_definition(arn)
            .send()
            .await
            .map_err(|error| ApiError::new(action, &error))?;
        answer.task_definition().and_then(convert::definition).ok_or_else(|| {
            ApiError::of(action, ErrorKind::Passing, "the answer has no whole 'taskDefinition'")
        })
    }

    /// Container instances by ARN, without their addresses.
    pub async fn describe_container_instances(
        &self,
        arns: &[String],
    ) -> Result<Vec<(String, Instance)>, ApiError> {
        let action = Action::DescribeContainerInstances;
        let mut instances = Vec::new();
        for batch in arns.chunks(DESCRIBE_BATCH) {
            let connected = self.admitted(action).await?;
            let answer = connected
                .ecs
                .describe_container_instances()
                .cluster(&self.cluster)
                .set_container_instances(Some(batch.to_vec()))
                .send()
                .await
                .map_err(|error| ApiError::new(action, &error))?;
            instances.extend(answer.container_instances().iter().filter_map(convert::instance));
        }
        Ok(instances)
    }

    /// Addresses and zones of EC2 instances.
    pub async fn describe_instances(&self, ids: &[String]) -> Result<Vec<Ec2Instance>, ApiError> {
        let action = Action::DescribeInstances;
        let mut instances = Vec::new();
        for batch in ids.chunks(INSTANCES_BATCH) {
            let connected = self.admitted(action).await?;
            let url = aws::ec2_url(&self.access, &connected.config).unwrap_or_default();
            instances.extend(aws::describe_instances(&connected.config, &url, batch).await?);
        }
        Ok(instances)
    }

    /// Services by name, each of `names`; `None` where ECS does not know one.
    pub async fn describe_services(
        &self,
        names: &[String],
    ) -> Result<Vec<(String, Option<Service>)>, ApiError> {
        let action = Action::DescribeServices;
        let mut services = Vec::new();
        for batch in names.chunks(SERVICES_BATCH) {
            let connected = self.admitted(action).await?;
            let answer = connected
                .ecs
                .describe_services()
                .cluster(&self.cluster)
                .set_services(Some(batch.to_vec()))
                .send()
                .await
                .map_err(|error| ApiError::new(action, &error))?;
            let mut told: HashMap<String, Service> =
                answer.services().iter().filter_map(convert::service).collect();
            for name in batch {
                let service = told.remove(name);
                let mut missing = convert::missing(answer.failures());
                if service.is_none() && !missing.any(|arn| id_of(arn) == name) {
                    let message = format!("the answer has no whole service '{name}'");
                    return Err(ApiError::of(action, ErrorKind::Passing, message));
                }
                services.push((name.clone(), service));
            }
        }
        Ok(services)
    }

    /// The production traffic weights of the deployment in progress, where there is one and ECS sets
    /// any.
    pub async fn traffic(&self, service: &str) -> Result<Option<Traffic>, ApiError> {
        let action = Action::ListServiceDeployments;
        let connected = self.admitted(action).await?;
        let listed = connected
            .ecs
            .list_service_deployments()
            .cluster(&self.cluster)
            .service(service)
            .status(ServiceDeploymentStatus::InProgress)
            .send()
            .await
            .map_err(|error| ApiError::new(action, &error))?;
        let hollow = |action| {
            ApiError::of(action, ErrorKind::Passing, "the answer has no whole 'serviceDeployments'")
        };
        // An object without the list is no answer, though it can be read as one.
        let listed = listed.service_deployments.ok_or_else(|| hollow(action))?;
        let Some(newest) = listed.first() else { return Ok(None) };
        let arn = newest.service_deployment_arn().ok_or_else(|| hollow(action))?;
        let action = Action::DescribeServiceDeployments;
        let connected = self.admitted(action).await?;
        let answer = connected
            .ecs
            .describe_service_deployments()
            .service_deployment_arns(arn)
            .send()
            .await
            .map_err(|error| ApiError::new(action, &error))?;
        let deployment = answer.service_deployments().first();
        // Whatever is deployed, it is deployed to a revision.
        let whole = deployment.filter(|told| told.target_service_revision().is_some());
        Ok(convert::traffic(whole.ok_or_else(|| hollow(action))?))
    }
}
