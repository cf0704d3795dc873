//! The two calls of Cloud Map's data plane.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_servicediscovery::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_servicediscovery::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_servicediscovery::error::BoxError;
use aws_sdk_servicediscovery::types::{HealthStatus, HealthStatusFilter};
use ringmain_config::cloud_map_cluster::{CloudMapCluster, CloudMapHealth};

use crate::cluster::Cluster;
use crate::discovery::aws::{self, Action, ApiError, ErrorKind, SharedBudget};

/// The most instances that DiscoverInstances tells; it has no pages.
pub const MAX_RESULTS: usize = 1000;

/// An instance as DiscoverInstances tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Instance {
    /// `InstanceId`.
    pub id: String,
    /// Whether its `HealthStatus` is UNHEALTHY.
    pub unhealthy: bool,
    /// `Attributes`.
    pub attributes: BTreeMap<String, String>,
}

/// Asks about one service.
pub struct CloudMapClient {
    config: CloudMapCluster,
    budget: SharedBudget,
    cluster: Arc<Cluster>,
    connected: Option<(String, aws_sdk_servicediscovery::Client)>,
}

impl CloudMapClient {
    /// Not connected yet.
    pub fn new(config: CloudMapCluster, budget: SharedBudget, cluster: Arc<Cluster>) -> Self {
        Self { config, budget, cluster, connected: None }
    }

    /// The region in use, once it is known.
    pub fn region(&self) -> String {
        self.connected.as_ref().map(|(region, _)| region.clone()).unwrap_or_default()
    }

    /// Finds region and credentials, unless that is done.
    pub async fn connect(&mut self) -> Result<(), ApiError> {
        if self.connected.is_some() {
            return Ok(());
        }
        let config = aws::connect(&self.config.access).await;
        let region = config.region().map(ToString::to_string).ok_or_else(|| {
            ApiError::of(
                Action::DiscoverInstancesRevision,
                ErrorKind::Invalid,
                "no region: write 'region', or set AWS_REGION",
            )
        })?;
        let mut builder = aws_sdk_servicediscovery::config::Builder::from(&config);
        let of_environment = std::env::var("AWS_ENDPOINT_URL_SERVICEDISCOVERY").is_ok();
        if let Some(endpoint) = &self.config.access.endpoint {
            builder = builder.endpoint_url(endpoint);
        }
        let elsewhere = self.config.access.endpoint.is_some()
            || of_environment
            || config.endpoint_url().is_some();
        if elsewhere {
            builder = builder.interceptor(WithoutPrefix);
        }
        let client = aws_sdk_servicediscovery::Client::from_conf(builder.build());
        self.connected = Some((region, client));
        Ok(())
    }

    /// Forgets the credentials; the next `connect` asks for new ones.
    pub fn disconnect(&mut self) {
        self.connected = None;
    }

    async fn admitted(
        &self,
        action: Action,
    ) -> Result<&aws_sdk_servicediscovery::Client, ApiError> {
        let (_, client) = self
            .connected
            .as_ref()
            .ok_or_else(|| ApiError::of(action, ErrorKind::Credentials, "not connected to AWS"))?;
        self.budget.admit().await;
        self.cluster.count_api_call(action.name());
        Ok(client)
    }

    fn asked(&self) -> String {
        let CloudMapCluster { namespace, service, .. } = &self.config;
        format!("service '{service}' of namespace '{namespace}' in region {}", self.region())
    }

    /// A number that changes with the instances.
    pub async fn revision(&self) -> Result<i64, ApiError> {
        let action = Action::DiscoverInstancesRevision;
        let answer = self
            .admitted(action)
            .await?
            .discover_instances_revision()
            .namespace_name(&self.config.namespace)
            .service_name(&self.config.service)
            .send()
            .await
            .map_err(|error| ApiError::new(action, &error).asked_for(|| self.asked()))?;
        answer.instances_revision().ok_or_else(|| {
            ApiError::of(action, ErrorKind::Passing, "the answer has no 'InstancesRevision'")
        })
    }

    /// The instances.
    pub async fn instances(&self) -> Result<Vec<Instance>, ApiError> {
        let action = Action::DiscoverInstances;
        let mut call = self
            .admitted(action)
            .await?
            .discover_instances()
            .namespace_name(&self.config.namespace)
            .service_name(&self.config.service)
            .max_results(MAX_RESULTS as i32)
            .health_status(match self.config.health_status {
                CloudMapHealth::HealthyOrElseAll => HealthStatusFilter::HealthyOrElseAll,
                CloudMapHealth::Healthy => HealthStatusFilter::Healthy,
                CloudMapHealth::All => HealthStatusFilter::All,
            });
        for (name, value) in &self.config.query_parameters {
            call = call.query_parameters(name, value);
        }
        let answer = call
            .send()
            .await
            .map_err(|error| ApiError::new(action, &error).asked_for(|| self.asked()))?;
        let instances = answer.instances.ok_or_else(|| {
            ApiError::of(action, ErrorKind::Passing, "the answer has no 'Instances'")
        })?;
        Ok(instances
            .into_iter()
            .map(|instance| Instance {
                id: instance.instance_id.unwrap_or_default(),
                unhealthy: instance.health_status == Some(HealthStatus::Unhealthy),
                attributes: instance.attributes.unwrap_or_default().into_iter().collect(),
            })
            .collect())
    }
}

/// The SDK puts `data-` before the host whatever the endpoint is; only AWS's own has such a host.
#[derive(Debug)]
struct WithoutPrefix;

impl Intercept for WithoutPrefix {
    fn name(&self) -> &'static str {
        "WithoutPrefix"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        let uri = without_prefix(request.uri());
        request.set_uri(uri)?;
        Ok(())
    }
}

fn without_prefix(uri: &str) -> String {
    uri.replacen("://data-", "://", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_goes_and_nothing_else() {
        assert_eq!(without_prefix("http://data-127.0.0.1:5000/"), "http://127.0.0.1:5000/");
        assert_eq!(without_prefix("https://x.test/data-a"), "https://x.test/data-a");
    }
}
