//! EC2's DescribeInstances, signed and sent without the EC2 SDK: that one call is all that is needed
//! of it, and the SDK takes longer to build than everything else together.

use std::fmt::Write;
use std::time::SystemTime;

use aws_config::SdkConfig;
use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};
use quick_xml::Reader;
use quick_xml::events::Event;

use super::{Action, ApiError, ErrorKind};

const VERSION: &str = "2016-11-15";
const CONTENT_TYPE: &str = "application/x-www-form-urlencoded";
/// Of each answer; the filter takes 200 ids at most.
const MAX_RESULTS: u32 = 1000;

/// What EC2 tells of an instance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ec2Instance {
    /// `instanceId`.
    pub id: String,
    /// `privateIpAddress`.
    pub ip: Option<String>,
    /// `placement.availabilityZone`.
    pub zone: Option<String>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Page {
    instances: Vec<Ec2Instance>,
    next_token: Option<String>,
}

/// Describes the instances of `ids`, at most 200. An id that EC2 does not know is left out.
pub async fn describe_instances(
    config: &SdkConfig,
    url: &str,
    ids: &[String],
) -> Result<Vec<Ec2Instance>, ApiError> {
    let mut instances = Vec::new();
    let mut token = None;
    loop {
        let page = describe_page(config, url, form(ids, token.as_deref())).await?;
        instances.extend(page.instances);
        token = page.next_token;
        if token.is_none() {
            return Ok(instances);
        }
    }
}

/// A filter rather than a list of ids: one unknown id then does not fail the whole call.
fn form(ids: &[String], token: Option<&str>) -> String {
    let mut form = format!(
        "Action=DescribeInstances&Version={VERSION}&MaxResults={MAX_RESULTS}\
         &Filter.1.Name=instance-id"
    );
    let mut put = |key: &str, value: &str| {
        write!(form, "&{key}=").expect("writing to memory does not fail");
        for byte in value.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                    form.push(char::from(byte));
                }
                _ => write!(form, "%{byte:02X}").expect("writing to memory does not fail"),
            }
        }
    };
    for (index, id) in ids.iter().enumerate() {
        put(&format!("Filter.1.Value.{}", index + 1), id);
    }
    if let Some(token) = token {
        put("NextToken", token);
    }
    form
}

async fn describe_page(config: &SdkConfig, url: &str, form: String) -> Result<Page, ApiError> {
    let action = Action::DescribeInstances;
    let request = signed(config, url, form).await?;
    let mut operation = Operation::builder()
        .service_name("ec2")
        .operation_name("DescribeInstances")
        .endpoint_url(url)
        .no_auth()
        .no_retry()
        .serializer(|request: HttpRequest| Ok(request))
        .deserializer::<Page, Ec2Error>(read);
    if let Some(client) = config.http_client() {
        operation = operation.http_client(client);
    }
    if let Some(sleep) = config.sleep_impl() {
        operation = operation.sleep_impl(sleep);
    }
    if let Some(timeouts) = config.timeout_config() {
        operation = operation.timeout_config(timeouts.clone());
    }
    let answer: Result<Page, SdkError<Ec2Error, HttpResponse>> =
        operation.build().invoke(request).await;
    answer.map_err(|error| ApiError::new(action, &error))
}

async fn signed(config: &SdkConfig, url: &str, form: String) -> Result<HttpRequest, ApiError> {
    let action = Action::DescribeInstances;
    let fail = |kind, message: String| ApiError::of(action, kind, message);
    let provider = config
        .credentials_provider()
        .ok_or_else(|| fail(ErrorKind::Credentials, "there are no credentials".into()))?;
    let credentials = provider
        .provide_credentials()
        .await
        .map_err(|error| fail(ErrorKind::Credentials, error.to_string()))?;
    let identity = credentials.into();
    let region = config.region().map(ToString::to_string).unwrap_or_default();
    let now = config.time_source().map_or_else(SystemTime::now, |source| source.now());
    let unsigned = |error: &dyn std::error::Error| fail(ErrorKind::Invalid, error.to_string());
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(&region)
        .name("ec2")
        .time(now)
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| unsigned(&error))?
        .into();
    let uri = format!("{}/", url.trim_end_matches('/'));
    let headers = [("content-type", CONTENT_TYPE)];
    let body = SignableBody::Bytes(form.as_bytes());
    let signable = SignableRequest::new("POST", uri.clone(), headers.into_iter(), body)
        .map_err(|error| unsigned(&error))?;
    let (instructions, _) = sign(signable, &params).map_err(|error| unsigned(&error))?.into_parts();
    let request = axum::http::Request::post(uri).header("content-type", CONTENT_TYPE);
    let mut request = request.body(SdkBody::from(form)).map_err(|error| unsigned(&error))?;
    instructions.apply_to_request_http1x(&mut request);
    HttpRequest::try_from(request).map_err(|error| unsigned(&error))
}

/// An answer that is an error.
#[derive(Debug, thiserror::Error)]
#[error("{}", meta.message().unwrap_or("EC2 answers with something that is no answer"))]
struct Ec2Error {
    meta: ErrorMetadata,
}

impl ProvideErrorMetadata for Ec2Error {
    fn meta(&self) -> &ErrorMetadata {
        &self.meta
    }
}

fn read(response: &HttpResponse) -> Result<Page, OrchestratorError<Ec2Error>> {
    let text = String::from_utf8_lossy(response.body().bytes().unwrap_or_default());
    if response.status().is_success() {
        return page(&text).map_err(OrchestratorError::other);
    }
    let (code, message) = fault(&text);
    let mut meta = ErrorMetadata::builder();
    if let Some(code) = code {
        meta = meta.code(code);
    }
    let status = response.status().as_u16();
    let meta = meta.message(message.unwrap_or_else(|| format!("HTTP status {status}"))).build();
    Err(OrchestratorError::operation(Ec2Error { meta }))
}

/// The instances of a DescribeInstancesResponse.
fn page(xml: &str) -> Result<Page, quick_xml::Error> {
    let mut page = Page::default();
    let mut whole = false;
    walk(xml, |path, text| match path {
        ["DescribeInstancesResponse"] => whole = true,
        ["DescribeInstancesResponse", "nextToken"] => {
            page.next_token = Some(text.to_owned()).filter(|token| !token.is_empty());
        }
        [_, "reservationSet", "item", "instancesSet", "item", "instanceId"] => {
            page.instances.push(Ec2Instance { id: text.to_owned(), ..Ec2Instance::default() });
        }
        [_, "reservationSet", "item", "instancesSet", "item", rest @ ..] => {
            let Some(instance) = page.instances.last_mut() else { return };
            match rest {
                ["privateIpAddress"] => instance.ip = Some(text.to_owned()),
                ["placement", "availabilityZone"] => instance.zone = Some(text.to_owned()),
                _ => {}
            }
        }
        _ => {}
    })?;
    if whole {
        return Ok(page);
    }
    Err(std::io::Error::other("this is no whole DescribeInstancesResponse").into())
}

/// Code and message of an error answer.
fn fault(xml: &str) -> (Option<String>, Option<String>) {
    let (mut code, mut message) = (None, None);
    // What cannot be read any further has told what it could.
    let _cut_short = walk(xml, |path, text| match path {
        [.., "Error", "Code"] => code = Some(text.to_owned()),
        [.., "Error", "Message"] => message = Some(text.to_owned()),
        _ => {}
    });
    (code, message)
}

/// Calls `each` at the end of every element, with the names down to it and its text.
fn walk(xml: &str, mut each: impl FnMut(&[&str], &str)) -> Result<(), quick_xml::Error> {
    let mut reader = Reader::from_str(xml);
    let mut path: Vec<String> = Vec::new();
    let mut text = String::new();
    loop {
        match reader.read_event()? {
            Event::Start(start) => {
                path.push(start.local_name().as_ref().to_owned());
                text.clear();
            }
            Event::Text(piece) => text.push_str(&piece),
            Event::End(_) => {
                let names: Vec<&str> = path.iter().map(String::as_str).collect();
                each(&names, text.trim());
                path.pop();
                text.clear();
            }
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = r#"<?xml version="1.0"?>
<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
  <reservationSet><item><instancesSet>
    <item><instanceId>i-1</instanceId><placement><availabilityZone>eu-west-1a</availabilityZone></placement>
      <privateIpAddress>10.0.0.1</privateIpAddress>
      <networkInterfaceSet><item><privateIpAddress>10.0.0.9</privateIpAddress></item></networkInterfaceSet></item>
    <item><instanceId>i-2</instanceId></item>
  </instancesSet></item></reservationSet><nextToken>more</nextToken>
</DescribeInstancesResponse>"#;

    #[test]
    fn instances_are_read_with_address_and_zone() {
        let page = page(ANSWER).expect("an answer");
        let first = Ec2Instance {
            id: "i-1".into(),
            ip: Some("10.0.0.1".into()),
            zone: Some("eu-west-1a".into()),
        };
        let second = Ec2Instance { id: "i-2".into(), ..Ec2Instance::default() };
        assert_eq!(page.instances, [first, second]);
        assert_eq!(page.next_token.as_deref(), Some("more"));
    }

    #[test]
    fn an_answer_cut_short_is_no_answer() {
        assert!(page(&ANSWER[..ANSWER.len() / 2]).is_err());
        assert!(page("").is_err());
        assert!(page("<html></html>").is_err());
    }

    #[test]
    fn errors_are_read_by_code() {
        let xml = "<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>slow \
                   down</Message></Error></Errors></Response>";
        assert_eq!(fault(xml), (Some("RequestLimitExceeded".into()), Some("slow down".into())));
        assert_eq!(fault("<html>"), (None, None));
    }

    #[test]
    fn the_form_filters_by_id() {
        let ids = ["i-1".to_owned(), "i-2".to_owned()];
        assert_eq!(
            form(&ids, Some("a/b=")),
            "Action=DescribeInstances&Version=2016-11-15&MaxResults=1000\
             &Filter.1.Name=instance-id&Filter.1.Value.1=i-1&Filter.1.Value.2=i-2\
             &NextToken=a%2Fb%3D"
        );
    }
}
