//! Calling AWS: credentials, region, time-outs, the budget of calls, and what went wrong.

mod access;
mod clock;
mod ec2;
mod error;

pub use access::{connect, ec2_url};
pub use ec2::{Ec2Instance, describe_instances};
pub use error::{ApiError, ErrorKind};

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::schedule::CallBudget;

/// What is asked of AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "AWS documents its actions")]
pub enum Action {
    ListTasks,
    DescribeTasks,
    DescribeTaskDefinition,
    DescribeContainerInstances,
    DescribeServices,
    ListServiceDeployments,
    DescribeServiceDeployments,
    DescribeInstances,
    DiscoverInstancesRevision,
    DiscoverInstances,
}

/// Actions that are put off together when one of them fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "they are named after what they tell")]
pub enum Category {
    Tasks,
    Instances,
    TaskDefinitions,
    Services,
    Deployments,
    Ec2,
    CloudMap,
}

impl Action {
    /// The permission that IAM grants for it.
    pub fn permission(self) -> &'static str {
        match self {
            Self::ListTasks => "ecs:ListTasks",
            Self::DescribeTasks => "ecs:DescribeTasks",
            Self::DescribeTaskDefinition => "ecs:DescribeTaskDefinition",
            Self::DescribeContainerInstances => "ecs:DescribeContainerInstances",
            Self::DescribeServices => "ecs:DescribeServices",
            Self::ListServiceDeployments => "ecs:ListServiceDeployments",
            Self::DescribeServiceDeployments => "ecs:DescribeServiceDeployments",
            Self::DescribeInstances => "ec2:DescribeInstances",
            Self::DiscoverInstancesRevision => "servicediscovery:DiscoverInstancesRevision",
            Self::DiscoverInstances => "servicediscovery:DiscoverInstances",
        }
    }

    /// Whose bucket of calls it draws from, and with whom it is put off.
    pub fn category(self) -> Category {
        match self {
            Self::ListTasks | Self::DescribeTasks => Category::Tasks,
            Self::DescribeContainerInstances => Category::Instances,
            Self::DescribeTaskDefinition => Category::TaskDefinitions,
            Self::DescribeServices => Category::Services,
            Self::ListServiceDeployments | Self::DescribeServiceDeployments => {
                Category::Deployments
            }
            Self::DescribeInstances => Category::Ec2,
            Self::DiscoverInstancesRevision | Self::DiscoverInstances => Category::CloudMap,
        }
    }

    /// Its name in the API.
    pub fn name(self) -> &'static str {
        let permission = self.permission();
        permission.rsplit(':').next().unwrap_or(permission)
    }
}

/// The budget of all pollers of the process. They are tasks of the one control thread, which the
/// type system does not know: so it stands behind a lock that nobody ever waits for.
#[derive(Debug, Clone)]
pub struct SharedBudget(Arc<Mutex<CallBudget>>);

impl SharedBudget {
    /// A full one.
    pub fn full() -> Self {
        Self(Arc::new(Mutex::new(CallBudget::new(Instant::now()))))
    }

    /// Waits until a call is within the budget.
    pub async fn admit(&self) {
        // Nothing panics while it holds the lock.
        let wait = self.0.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }
}
