//! DescribeConfigs, AlterConfigs and IncrementalAlterConfigs.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::{String, ToString},
    vec::Vec,
};

use crate::{
    api::{
        Proposed,
        topic_rules::{check_topic_name, config_refusal},
    },
    config::{Definition, Kind, Scope, broker, topic},
    metadata::{
        Command, Outcome, Refusal, ResourceKind,
        command::{ChangeConfigs, ConfigChange},
    },
    session::RequestId,
    shard::{Incoming, Shard, Step},
    types::ErrorCode,
    wire::{
        Response,
        messages::{
            alter_configs::{self, AlterConfigsRequest, AlterConfigsResponse},
            describe_configs::{
                DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
                DescribeConfigsResponse, DescribeConfigsResult, DescribeConfigsSynonym,
            },
            incremental_alter_configs::{
                self, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
            },
        },
    },
};

/// An AlterConfigs or IncrementalAlterConfigs that waits for the quorum.
#[derive(Debug)]
pub(crate) struct ProposedConfigs {
    request: RequestId,
    incremental: bool,
    results: Vec<Altered>,
    /// Where in the results each command's resource stands.
    places: Vec<usize>,
}

/// What became of the settings of a resource.
#[derive(Debug)]
struct Altered {
    resource_type: i8,
    resource_name: String,
    refusal: Option<Refusal>,
}

/// How IncrementalAlterConfigs changes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Set,
    Delete,
    Append,
    Subtract,
}

/// A change that was asked for.
#[derive(Debug)]
struct Wanted {
    key: String,
    operation: i8,
    value: Option<String>,
}

impl Shard {
    pub(super) fn describe_configs(
        &mut self,
        asked: &Incoming,
        request: DescribeConfigsRequest,
        step: &mut Step<'_>,
    ) {
        let (synonyms, documentation) = (request.include_synonyms, request.include_documentation);
        let results = request.resources.into_iter().map(|resource| {
            let (resource_type, resource_name) =
                (resource.resource_type, resource.resource_name.clone());
            let result =
                DescribeConfigsResult { resource_type, resource_name, ..Default::default() };
            // Kafka's success has an empty message, not none.
            match self.describe_resource(&resource, synonyms, documentation) {
                Ok(configs) => {
                    DescribeConfigsResult { configs, error_message: Some(String::new()), ..result }
                }
                Err(refusal) => DescribeConfigsResult {
                    error_code: refusal.code.code(),
                    error_message: Some(refusal.message),
                    ..result
                },
            }
        });
        let results = results.collect();
        self.answer(asked.id, DescribeConfigsResponse { results, ..Default::default() }, step);
    }

    fn describe_resource(
        &self,
        resource: &DescribeConfigsResource,
        synonyms: bool,
        documentation: bool,
    ) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
        let name = &resource.resource_name;
        let kind = ResourceKind::from_code(resource.resource_type);
        let definitions: Vec<Definition> = match kind {
            Some(ResourceKind::Topic) => {
                check_topic_name(name)
                    .map_err(|message| Refusal::new(ErrorCode::InvalidTopic, message))?;
                let unknown = Refusal::silent(ErrorCode::UnknownTopicOrPartition);
                self.image.topic_id(name).ok_or(unknown)?;
                topic::DEFINITIONS.iter().filter(|known| !known.is_internal()).copied().collect()
            }
            Some(ResourceKind::Broker) => {
                self.check_described_broker(name)?;
                broker::definitions()
            }
            None if SETTLESS_RESOURCES.contains(&resource.resource_type) => return Ok(Vec::new()),
            None => return Err(ErrorCode::InvalidRequest.into()),
        };
        let topic_name = (kind == Some(ResourceKind::Topic)).then_some(name.as_str());
        let mut layers = self.layers(topic_name);
        let only_dynamic = kind == Some(ResourceKind::Broker) && name.is_empty();
        let nothing = BTreeMap::new();
        if only_dynamic {
            layers.broker = None;
            layers.configuration = &nothing;
        }
        let wanted = resource.configuration_keys.as_ref().filter(|keys| !keys.is_empty());
        let is_wanted = |definition: &&Definition| {
            wanted.is_none_or(|keys| keys.iter().any(|key| key == definition.key))
                && (!only_dynamic
                    || layers.all_brokers.is_some_and(|set| set.contains_key(definition.key)))
        };
        let described = definitions.iter().filter(is_wanted).map(|definition| {
            let resolved = layers.resolve(definition);
            let told = resolved.synonyms.into_iter().filter(|_| synonyms);
            DescribeConfigsResourceResult {
                name: definition.key.into(),
                value: resolved.value.map(|value| definition.canonical(&value)),
                read_only: definition.scope == Scope::Broker,
                config_source: resolved.source.code(),
                is_sensitive: false,
                synonyms: told
                    .map(|synonym| DescribeConfigsSynonym {
                        name: synonym.key.into(),
                        value: Some(synonym.value),
                        source: synonym.source.code(),
                    })
                    .collect(),
                config_type: definition.kind.code(),
                documentation: documentation.then(|| definition.doc.into()),
            }
        });
        Ok(described.collect())
    }

    /// A broker's settings can be had from the broker itself; the empty name stands for all brokers.
    fn check_described_broker(&self, name: &str) -> Result<(), Refusal> {
        let own = self.broker_id.to_string();
        if name.is_empty() || name == own {
            return Ok(());
        }
        let message = if name.parse::<i32>().is_ok() {
            format!("Unexpected broker id, expected {own} or empty string, but received {name}")
        } else {
            format!("Broker id must be an integer, but it is: {name}")
        };
        Err(Refusal::new(ErrorCode::InvalidRequest, message))
    }

    fn check_altered_broker(&self, name: &str) -> Result<(), Refusal> {
        let own = self.broker_id.to_string();
        if name.is_empty() || name == own {
            return Ok(());
        }
        let message = if name.parse::<i32>().is_ok() {
            format!("Unexpected broker id, expected {own}, but received {name}")
        } else {
            format!("Node id must be an integer, but it is: {name}")
        };
        Err(Refusal::new(ErrorCode::InvalidRequest, message))
    }

    pub(super) fn alter_configs(
        &mut self,
        asked: &Incoming,
        request: AlterConfigsRequest,
        step: &mut Step<'_>,
    ) {
        let resources = request.resources.into_iter().map(|resource| {
            let own = self.own_configs(resource.resource_type, &resource.resource_name);
            // What is not named goes back to its default.
            let named: BTreeSet<&String> =
                resource.configs.iter().map(|config| &config.name).collect();
            let dropped = own.into_keys().filter(|key| !named.contains(key));
            let dropped: Vec<_> = dropped.collect();
            let dropped = dropped.into_iter().map(|key| Wanted {
                key,
                operation: Operation::Delete.code(),
                value: None,
            });
            let set = resource.configs.into_iter().map(|config| Wanted {
                key: config.name,
                operation: Operation::Set.code(),
                value: config.value,
            });
            (resource.resource_type, resource.resource_name, dropped.chain(set).collect())
        });
        let resources: Vec<_> = resources.collect();
        self.change_configs(asked.id, false, request.validate_only, resources, step);
    }

    pub(super) fn incremental_alter_configs(
        &mut self,
        asked: &Incoming,
        request: IncrementalAlterConfigsRequest,
        step: &mut Step<'_>,
    ) {
        let resources = request.resources.into_iter().map(|resource| {
            let wanted = resource.configs.into_iter().map(|config| Wanted {
                key: config.name,
                operation: config.config_operation,
                value: config.value,
            });
            (resource.resource_type, resource.resource_name, wanted.collect())
        });
        let resources = resources.collect();
        self.change_configs(asked.id, true, request.validate_only, resources, step);
    }

    fn own_configs(&self, kind: i8, name: &str) -> BTreeMap<String, String> {
        let kind = ResourceKind::from_code(kind);
        kind.and_then(|kind| self.image.configs(kind, name)).cloned().unwrap_or_default()
    }

    fn change_configs(
        &mut self,
        request: RequestId,
        incremental: bool,
        validate_only: bool,
        resources: Vec<(i8, String, Vec<Wanted>)>,
        step: &mut Step<'_>,
    ) {
        let mut counts: BTreeMap<(i8, String), usize> = BTreeMap::new();
        for (kind, name, _) in &resources {
            *counts.entry((*kind, name.clone())).or_default() += 1;
        }
        let mut results = Vec::new();
        let mut commands: Vec<Command> = Vec::new();
        let mut places = Vec::new();
        for (resource_type, resource_name, wanted) in resources {
            let key = (resource_type, resource_name.clone());
            let planned = if counts[&key] > 1 {
                let message = "Each resource must appear at most once.";
                Err(Refusal::new(ErrorCode::InvalidRequest, message))
            } else {
                self.plan_changes(resource_type, &resource_name, wanted)
            };
            let refusal = match planned {
                Ok(changes) => {
                    places.push(results.len());
                    let resource_name = resource_name.clone();
                    let resource_kind = resource_type;
                    commands.push(ChangeConfigs { resource_kind, resource_name, changes }.into());
                    None
                }
                Err(refusal) => Some(refusal),
            };
            results.push(Altered { resource_type, resource_name, refusal });
        }
        let proposed = ProposedConfigs { request, incremental, results, places };
        if validate_only || commands.is_empty() {
            self.answer_configs(proposed, step);
        } else {
            self.propose(commands, Proposed::Configs(proposed), step);
        }
    }

    fn plan_changes(
        &self,
        kind: i8,
        name: &str,
        wanted: Vec<Wanted>,
    ) -> Result<Vec<ConfigChange>, Refusal> {
        let invalid = |message: String| Refusal::new(ErrorCode::InvalidRequest, message);
        let mut keys = BTreeSet::new();
        if wanted.iter().any(|wanted| !keys.insert(&wanted.key)) {
            return Err(invalid("Error due to duplicate config keys".into()));
        }
        let kind = ResourceKind::from_code(kind).ok_or_else(|| unknown_resource(kind, &wanted))?;
        match kind {
            ResourceKind::Topic if name.is_empty() => {
                return Err(invalid("Default topic resources are not allowed.".into()));
            }
            ResourceKind::Topic => {
                check_topic_name(name)
                    .map_err(|message| Refusal::new(ErrorCode::InvalidTopic, message))?;
                self.image.topic_id(name).ok_or_else(|| {
                    let message = format!("The topic '{name}' does not exist.");
                    Refusal::new(ErrorCode::UnknownTopicOrPartition, message)
                })?;
            }
            ResourceKind::Broker => self.check_altered_broker(name)?,
        }
        let mut configs = self.image.configs(kind, name).cloned().unwrap_or_default();
        let mut changes = Vec::with_capacity(wanted.len());
        for Wanted { key, operation, value } in wanted {
            let operation = Operation::from_code(operation)
                .ok_or_else(|| invalid(format!("Unknown operation type {operation}.")))?;
            let value = self.changed_value(kind, &configs, &key, operation, value)?;
            match &value {
                Some(value) => configs.insert(key.clone(), value.clone()),
                None => configs.remove(&key),
            };
            changes.push(ConfigChange { key, value });
        }
        if kind == ResourceKind::Topic {
            topic::validate_together(&configs)
                .map_err(|message| Refusal::new(ErrorCode::InvalidConfig, message))?;
        }
        Ok(changes)
    }

    /// The value that a change leads to, if it is possible.
    fn changed_value(
        &self,
        kind: ResourceKind,
        configs: &BTreeMap<String, String>,
        key: &str,
        operation: Operation,
        value: Option<String>,
    ) -> Result<Option<String>, Refusal> {
        let definition = match kind {
            ResourceKind::Topic => topic::definition(key).copied(),
            ResourceKind::Broker => broker::definition(key),
        };
        if kind == ResourceKind::Broker
            && definition.is_some_and(|definition| definition.scope != Scope::DynamicBroker)
        {
            let message = format!("Cannot update these configs dynamically: [{key}]");
            return Err(Refusal::new(ErrorCode::InvalidRequest, message));
        }
        if operation == Operation::Delete {
            return Ok(None);
        }
        let Some(value) = value else {
            let message = format!("Null value not supported for : {key}");
            return Err(Refusal::new(ErrorCode::InvalidRequest, message));
        };
        let value = match (operation, definition) {
            (Operation::Append | Operation::Subtract, Some(definition)) => {
                if definition.kind != Kind::List {
                    let what = if operation == Operation::Append { "append" } else { "subtract" };
                    let message = format!(
                        "Can't {} to key {key} because its type is not LIST.",
                        what.to_uppercase()
                    );
                    return Err(Refusal::new(ErrorCode::InvalidConfig, message));
                }
                let default = definition.default.unwrap_or_default();
                let current = configs.get(key).map_or(default, String::as_str);
                combine(current, &value, operation == Operation::Append)
            }
            (Operation::Set | Operation::Delete | Operation::Append | Operation::Subtract, _) => {
                value
            }
        };
        match kind {
            ResourceKind::Topic => topic::validate(key, &value).map_err(config_refusal)?,
            ResourceKind::Broker => {
                broker::validate(key, &value)
                    .map_err(|error| Refusal::new(ErrorCode::InvalidRequest, error.to_string()))?;
            }
        }
        Ok(Some(value))
    }

    /// The quorum has decided on changed settings.
    pub(crate) fn configs_changed(
        &mut self,
        mut proposed: ProposedConfigs,
        outcomes: Option<&[Outcome]>,
        step: &mut Step<'_>,
    ) {
        for (index, place) in proposed.places.iter().enumerate() {
            proposed.results[*place].refusal =
                match outcomes.and_then(|outcomes| outcomes.get(index)) {
                    Some(
                        Outcome::Applied | Outcome::ProducerIds { .. } | Outcome::BrokerEpoch(_),
                    ) => None,
                    Some(Outcome::Refused(refusal)) => Some(refusal.clone()),
                    None => Some(ErrorCode::RequestTimedOut.into()),
                };
        }
        self.answer_configs(proposed, step);
    }

    fn answer_configs(&mut self, proposed: ProposedConfigs, step: &mut Step<'_>) {
        let ProposedConfigs { request, incremental, results, .. } = proposed;
        let response: Response = if incremental {
            let responses = results.into_iter().map(|altered| {
                let (error_code, error_message) = altered.error();
                incremental_alter_configs::AlterConfigsResourceResponse {
                    error_code,
                    error_message,
                    resource_type: altered.resource_type,
                    resource_name: altered.resource_name,
                }
            });
            let responses = responses.collect();
            IncrementalAlterConfigsResponse { responses, ..Default::default() }.into()
        } else {
            let responses = results.into_iter().map(|altered| {
                let (error_code, error_message) = altered.error();
                alter_configs::AlterConfigsResourceResponse {
                    error_code,
                    error_message,
                    resource_type: altered.resource_type,
                    resource_name: altered.resource_name,
                }
            });
            let responses = responses.collect();
            AlterConfigsResponse { responses, ..Default::default() }.into()
        };
        self.answer(request, response, step);
    }
}

/// Kinds of resources that have settings in Kafka and none here: a broker's loggers, client metrics, groups.
const SETTLESS_RESOURCES: [i8; 3] = [BROKER_LOGGER, CLIENT_METRICS, GROUP];
const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;

/// Why the settings of a resource cannot be changed that is neither a topic nor a broker.
fn unknown_resource(kind: i8, wanted: &[Wanted]) -> Refusal {
    let key = wanted.first().map_or("", |wanted| wanted.key.as_str());
    match kind {
        CLIENT_METRICS => {
            let message = format!("Unknown client metrics configuration: {key}");
            Refusal::new(ErrorCode::InvalidRequest, message)
        }
        GROUP => {
            Refusal::new(ErrorCode::InvalidConfig, format!("Unknown group config name: {key}"))
        }
        _ => Refusal::new(ErrorCode::InvalidRequest, format!("Unknown resource type {kind}")),
    }
}

impl Altered {
    fn error(&self) -> (i16, Option<String>) {
        match &self.refusal {
            None => (ErrorCode::None.code(), None),
            Some(refusal) => (refusal.code.code(), Some(refusal.message.clone())),
        }
    }
}

impl Operation {
    const fn code(self) -> i8 {
        self as i8
    }

    const fn from_code(code: i8) -> Option<Self> {
        match code {
            0 => Some(Self::Set),
            1 => Some(Self::Delete),
            2 => Some(Self::Append),
            3 => Some(Self::Subtract),
            _ => None,
        }
    }
}

/// A list with members added or taken away.
fn combine(current: &str, members: &str, add: bool) -> String {
    let members: Vec<&str> = members.split(',').filter(|member| !member.is_empty()).collect();
    let mut list: Vec<&str> = current.split(',').filter(|member| !member.is_empty()).collect();
    if add {
        for member in members {
            if !list.contains(&member) {
                list.push(member);
            }
        }
    } else {
        list.retain(|member| !members.contains(member));
    }
    list.join(",")
}
