//! Region, credentials and endpoints.

use std::time::Duration;

use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use ringmain_config::aws::AwsAccess;

use super::clock::SigningClock;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// The second attempt is for a kept connection that has died; all other repetition is the poller's.
const ATTEMPTS: u32 = 2;
/// What the sessions of an assumed role are called.
const SESSION_NAME: &str = "ringmain";

/// What all clients of `access` are made from. Finds region and credentials by the SDK's own chain
/// and takes the role that is asked for.
pub async fn connect(access: &AwsAccess) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_timeout(CALL_TIMEOUT)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .timeout_config(timeouts)
        .time_source(SigningClock)
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS));
    if let Some(region) = &access.region {
        loader = loader.region(Region::new(region.clone()));
    }
    let config = loader.load().await;
    let Some(role) = &access.role_arn else { return config };
    let mut provider =
        AssumeRoleProvider::builder(role).session_name(SESSION_NAME).configure(&config);
    if let Some(id) = &access.external_id {
        provider = provider.external_id(id);
    }
    let credentials = SharedCredentialsProvider::new(provider.build().await);
    config.into_builder().credentials_provider(credentials).build()
}

/// Where the EC2 API is: as configured, as the environment says, or the region's own.
pub fn ec2_url(access: &AwsAccess, config: &SdkConfig) -> Option<String> {
    let configured = access.ec2_endpoint.clone().or_else(|| access.endpoint.clone());
    let of_environment = || std::env::var("AWS_ENDPOINT_URL_EC2").ok();
    let of_config = || config.endpoint_url().map(str::to_owned);
    configured.or_else(of_environment).or_else(of_config).or_else(|| {
        let region = config.region()?;
        let fips = if config.use_fips() == Some(true) { "-fips" } else { "" };
        let domain = match (config.use_dual_stack(), region.as_ref().starts_with("cn-")) {
            (Some(true), true) => "api.amazonwebservices.com.cn",
            (Some(true), false) => "api.aws",
            (_, true) => "amazonaws.com.cn",
            (_, false) => "amazonaws.com",
        };
        Some(format!("https://ec2{fips}.{region}.{domain}"))
    })
}
