//! What an operator asks of a cluster: topics and their configurations.

use std::{collections::BTreeMap, fmt, time::Duration};

use ottla_core::{
    types::ErrorCode,
    wire::{
        api::RequestMessage,
        messages::{
            create_partitions::{CreatePartitionsRequest, CreatePartitionsTopic},
            create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest},
            delete_topics::{DeleteTopicState, DeleteTopicsRequest},
            describe_configs::{
                DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
            },
            incremental_alter_configs::{
                AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
            },
        },
    },
};

use super::{Backoff, CallError, Client, ServerError};

/// How long a broker may take for a change.
const TIMEOUT_MS: i32 = 20_000;
/// How long to look for the controller.
const CONTROLLER_LIMIT: Duration = Duration::from_secs(15);
/// The kind of resource that a topic is.
const TOPIC_RESOURCE: i8 = 2;
const SET: i8 = 0;
const DELETE: i8 = 1;

/// Why a change or a question came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminError {
    /// No broker answered.
    Call(CallError),
    /// The broker refuses.
    Refused {
        /// The topic that it is about.
        topic: String,
        /// Why.
        error: ServerError,
    },
    /// The answer does not mention the topic.
    Missing {
        /// The topic that it should be about.
        topic: String,
    },
}

impl AdminError {
    /// Whether the broker answered with this error.
    pub fn is(&self, code: ErrorCode) -> bool {
        match self {
            Self::Refused { error, .. } => error.is(code),
            Self::Call(_) | Self::Missing { .. } => false,
        }
    }
}

impl From<CallError> for AdminError {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl fmt::Display for AdminError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(error) => error.fmt(f),
            Self::Refused { topic, error } if error.is(ErrorCode::UnknownTopicOrPartition) => {
                write!(f, "there is no topic {topic}")
            }
            Self::Refused { topic, error } => write!(f, "topic {topic}: {error}"),
            Self::Missing { topic } => {
                write!(f, "the broker's answer does not mention topic {topic}")
            }
        }
    }
}

impl std::error::Error for AdminError {}

/// A topic to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions; none leaves it to the broker.
    pub partitions: Option<i32>,
    /// How many copies of each; none leaves it to the broker.
    pub replication_factor: Option<i16>,
    /// What differs from the broker's defaults.
    pub configs: BTreeMap<String, String>,
}

/// The answer about one topic: its error, if any, and the broker's words for it.
type Answer = Option<(i16, Option<String>)>;

/// Creates a topic.
pub async fn create_topic(client: &Client, topic: &NewTopic) -> Result<(), AdminError> {
    let configs = topic.configs.iter().map(|(name, value)| CreatableTopicConfig {
        name: name.clone(),
        value: Some(value.clone()),
    });
    let creatable = CreatableTopic {
        name: topic.name.clone(),
        num_partitions: topic.partitions.unwrap_or(-1),
        replication_factor: topic.replication_factor.unwrap_or(-1),
        configs: configs.collect(),
        ..Default::default()
    };
    let request = CreateTopicsRequest {
        topics: vec![creatable],
        timeout_ms: TIMEOUT_MS,
        ..Default::default()
    };
    change(client, &topic.name, &request, |response| {
        let topic = response.topics.into_iter().next()?;
        Some((topic.error_code, topic.error_message))
    })
    .await
}

/// Deletes a topic and all that is in it.
pub async fn delete_topic(client: &Client, name: &str) -> Result<(), AdminError> {
    // Until version 5 a topic is named in one place, from version 6 in another.
    let state = DeleteTopicState { name: Some(name.to_owned()), ..Default::default() };
    let request = DeleteTopicsRequest {
        topics: vec![state],
        topic_names: vec![name.to_owned()],
        timeout_ms: TIMEOUT_MS,
    };
    change(client, name, &request, |response| {
        let topic = response.responses.into_iter().next()?;
        Some((topic.error_code, topic.error_message))
    })
    .await
}

/// Gives a topic more partitions: `count` in all.
pub async fn create_partitions(client: &Client, name: &str, count: i32) -> Result<(), AdminError> {
    let topic = CreatePartitionsTopic { name: name.to_owned(), count, assignments: None };
    let request = CreatePartitionsRequest {
        topics: vec![topic],
        timeout_ms: TIMEOUT_MS,
        validate_only: false,
    };
    change(client, name, &request, |response| {
        let topic = response.results.into_iter().next()?;
        Some((topic.error_code, topic.error_message))
    })
    .await
}

/// Sets configurations of a topic, and takes others back to the broker's default.
pub async fn alter_topic_configs(
    client: &Client,
    name: &str,
    set: &BTreeMap<String, String>,
    unset: &[String],
) -> Result<(), AdminError> {
    let set = set.iter().map(|(name, value)| AlterableConfig {
        name: name.clone(),
        config_operation: SET,
        value: Some(value.clone()),
    });
    let unset = unset.iter().map(|name| AlterableConfig {
        name: name.clone(),
        config_operation: DELETE,
        value: None,
    });
    let resource = AlterConfigsResource {
        resource_type: TOPIC_RESOURCE,
        resource_name: name.to_owned(),
        configs: set.chain(unset).collect(),
    };
    let request =
        IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
    change(client, name, &request, |response| {
        let resource = response.responses.into_iter().next()?;
        Some((resource.error_code, resource.error_message))
    })
    .await
}

/// The configurations of a topic.
pub async fn describe_topic_configs(
    client: &Client,
    name: &str,
) -> Result<Vec<DescribeConfigsResourceResult>, AdminError> {
    let resource = DescribeConfigsResource {
        resource_type: TOPIC_RESOURCE,
        resource_name: name.to_owned(),
        configuration_keys: None,
    };
    let request = DescribeConfigsRequest { resources: vec![resource], ..Default::default() };
    let response = client.call_any(&request).await?;
    let Some(result) = response.results.into_iter().next() else {
        return Err(AdminError::Missing { topic: name.to_owned() });
    };
    ServerError::check(result.error_code, result.error_message.as_deref())
        .map_err(|error| AdminError::Refused { topic: name.to_owned(), error })?;
    Ok(result.configs)
}

/// Asks the controller for a change; another broker may be it by now.
async fn change<R: RequestMessage>(
    client: &Client,
    topic: &str,
    request: &R,
    answer: impl Fn(R::Response) -> Answer,
) -> Result<(), AdminError> {
    let mut backoff = Backoff::for_at_most(CONTROLLER_LIMIT);
    loop {
        let controller = client.controller().await?;
        let response = client.call(controller, request).await?;
        let (code, message) =
            answer(response).ok_or_else(|| AdminError::Missing { topic: topic.to_owned() })?;
        let Err(error) = ServerError::check(code, message.as_deref()) else { return Ok(()) };
        if !error.is(ErrorCode::NotController) || !backoff.pause().await {
            return Err(AdminError::Refused { topic: topic.to_owned(), error });
        }
    }
}
