//! The settings of brokers.

use alloc::{
    collections::BTreeMap,
    string::{String, ToString},
    vec::Vec,
};

use super::{
    definition::{ConfigError, Definition, Kind, Rule, Scope, distance},
    foreign,
    resolve::Layers,
    topic,
};

macro_rules! broker_keys {
    ($($scope:ident $key:literal $kind:ident $default:expr, $rule:expr, $doc:literal;)*) => {
        /// The settings of brokers, save those that set defaults for topics, which [`topic::DEFINITIONS`] names.
        pub const DEFINITIONS: &[Definition] = &[$(Definition {
            key: $key,
            kind: Kind::$kind,
            default: $default,
            rule: $rule,
            scope: Scope::$scope,
            doc: $doc,
        },)*];
    };
}

const INT_MAX: Option<&str> = Some("2147483647");

broker_keys! {
    Broker "advertised.listeners" List None, Rule::Any,
        "The address that clients are told to connect to, as PLAINTEXT://host:port; that of listeners unless given.";
    Broker "auto.create.topics.enable" Boolean Some("true"), Rule::Any,
        "Whether a topic is made when a client asks for one that is not there.";
    Broker "broker.id" Int None, Rule::AtLeast(-1), "The older name of node.id.";
    Broker "broker.rack" String None, Rule::Any, "Where the broker stands.";
    Broker "connections.max.idle.ms" Long Some("600000"), Rule::Any,
        "After how many milliseconds of silence a connection is closed.";
    Broker "default.replication.factor" Int Some("1"), Rule::AtLeast(1),
        "How many replicas a topic has that is made without saying so.";
    Broker "delete.topic.enable" Boolean Some("true"), Rule::Any, "Whether topics can be deleted.";
    Broker "fetch.max.bytes" Int Some("57671680"), Rule::AtLeast(1024),
        "How many bytes a fetch returns at the most.";
    Broker "group.initial.rebalance.delay.ms" Int Some("3000"), Rule::Any,
        "How long an empty group waits for more members before its first assignment, in milliseconds.";
    Broker "group.max.session.timeout.ms" Int Some("1800000"), Rule::Any,
        "The longest session timeout that a group's member may ask for.";
    Broker "group.max.size" Int INT_MAX, Rule::AtLeast(1), "How many members a group may have.";
    Broker "group.min.session.timeout.ms" Int Some("6000"), Rule::Any,
        "The shortest session timeout that a group's member may ask for.";
    Broker "listeners" List Some("PLAINTEXT://127.0.0.1:9092"), Rule::Any,
        "Where the broker listens, as PLAINTEXT://host:port.";
    Broker "log.cleaner.enable" Boolean Some("true"), Rule::Any, "Whether logs are compacted.";
    DynamicBroker "log.cleaner.backoff.ms" Long Some("15000"), Rule::AtLeast(0),
        "How long compaction rests when there was nothing to do, in milliseconds.";
    DynamicBroker "log.cleaner.dedupe.buffer.size" Long Some("134217728"), Rule::Any,
        "How many bytes compaction may use to remember keys.";
    Broker "log.dir" String None, Rule::Any, "The data folder; the same as log.dirs.";
    Broker "log.dirs" List None, Rule::Any, "The data folder. One is possible.";
    Broker "log.flush.offset.checkpoint.interval.ms" Int Some("60000"), Rule::AtLeast(0),
        "How often the points are moved that recovery begins from, in milliseconds.";
    Broker "log.retention.check.interval.ms" Long Some("300000"), Rule::AtLeast(1),
        "How often old segments are looked for, in milliseconds.";
    Broker "max.connections" Int INT_MAX, Rule::AtLeast(0), "How many connections there may be.";
    Broker "max.connections.per.ip" Int INT_MAX, Rule::AtLeast(0),
        "How many connections there may be from one address.";
    Broker "max.incremental.fetch.session.cache.slots" Int Some("1000"), Rule::AtLeast(0),
        "How many incremental fetch sessions are kept.";
    Broker "node.id" Int None, Rule::AtLeast(0), "Names the broker within its cluster; 1 unless given.";
    Broker "num.partitions" Int Some("1"), Rule::AtLeast(1),
        "How many partitions a topic has that is made without saying so.";
    Broker "offset.metadata.max.bytes" Int Some("4096"), Rule::Any,
        "How long the text may be that is committed with an offset.";
    Broker "offsets.retention.check.interval.ms" Long Some("600000"), Rule::AtLeast(1),
        "How often expired offsets are looked for, in milliseconds.";
    Broker "offsets.retention.minutes" Int Some("10080"), Rule::AtLeast(1),
        "How long the offsets of a dead group are kept, in minutes.";
    Broker "offsets.topic.num.partitions" Int Some("50"), Rule::AtLeast(1),
        "How many partitions __consumer_offsets has.";
    Broker "offsets.topic.replication.factor" Short Some("1"), Rule::AtLeast(1),
        "How many replicas __consumer_offsets has.";
    Broker "offsets.topic.segment.bytes" Int Some("104857600"), Rule::AtLeast(1),
        "The segment size of __consumer_offsets.";
    Broker "ottla.disk.reserve.bytes" Long Some("67108864"), Rule::AtLeast(0),
        "Below how many free bytes on the disk records are refused.";
    Broker "ottla.flush.offset.checkpoint.bytes" Long Some("536870912"), Rule::AtLeast(1),
        "After how many bytes appended the points are moved that recovery begins from, if not yet by time; or a 4,096th of it for each partition, if that is more.";
    Broker "ottla.http.listener" String Some("127.0.0.1:9644"), Rule::Any,
        "Where metrics and health are served, as host:port; nowhere if empty.";
    Broker "ottla.journal.bytes" Long Some("67108864"), Rule::AtLeast(0),
        "How large each of the two files of the journal is, which the first small batches make and small batches become durable in; without it if 0.";
    Broker "ottla.journal.partition.bytes.max" Int Some("32768"), Rule::AtLeast(0),
        "How much partitions may have to be made durable, each on the average, to do so in the journal.";
    Broker "ottla.journal.partitions.min" Int Some("1"), Rule::AtLeast(1),
        "How many partitions must have something to be made durable to do so in the journal.";
    Broker "ottla.metadata.snapshot.entries" Int Some("1000"), Rule::AtLeast(1),
        "After how many changes of the metadata it is written down whole, so that its log begins anew.";
    DynamicBroker "producer.id.expiration.ms" Int Some("86400000"), Rule::AtLeast(1),
        "How long a partition remembers an idempotent producer that no longer writes, in milliseconds.";
    Broker "queued.max.request.bytes" Long Some("268435456"), Rule::Any,
        "How many bytes of requests may be in memory at once; -1 for no limit.";
    Broker "socket.receive.buffer.bytes" Int Some("-1"), Rule::AtLeast(-1),
        "How much the kernel keeps of what a connection sent and the broker has not read, in bytes; -1 for as the operating system likes.";
    Broker "socket.request.max.bytes" Int Some("104857600"), Rule::AtLeast(1),
        "How large a Produce request may be; other requests may have a twelfth of it.";
    Broker "socket.send.buffer.bytes" Int Some("102400"), Rule::AtLeast(-1),
        "How much the kernel keeps of what a connection was sent and has not acknowledged, in bytes; -1 for as the operating system likes.";
}

/// The setting with this key, as a broker's.
pub fn definition(key: &str) -> Option<Definition> {
    let own = DEFINITIONS.iter().find(|definition| definition.key == key).copied();
    own.or_else(|| {
        let topic = topic::DEFINITIONS.iter().find_map(|definition| match definition.scope {
            Scope::Topic(keys) => {
                let key = keys.iter().find(|known| **known == key)?;
                let is_first = keys.first() == Some(key);
                let (kind, scope) = if is_first {
                    (definition.kind, Scope::DynamicBroker)
                } else {
                    (Kind::Int, Scope::Broker)
                };
                let default = definition.default.filter(|_| is_first);
                Some(Definition { key, kind, default, scope, ..*definition })
            }
            Scope::DynamicBroker | Scope::Broker => None,
        });
        topic.map(|definition| match definition.kind {
            // What is counted in hours or minutes has no bounds in milliseconds.
            Kind::Int if definition.scope == Scope::Broker => {
                Definition { rule: Rule::AtLeast(-1), ..definition }
            }
            Kind::Boolean
            | Kind::String
            | Kind::Int
            | Kind::Short
            | Kind::Long
            | Kind::Double
            | Kind::List => definition,
        })
    })
}

/// All settings of brokers, in the order of their keys.
pub fn definitions() -> Vec<Definition> {
    let topic_keys = topic::DEFINITIONS.iter().flat_map(|definition| match definition.scope {
        Scope::Topic(keys) => keys,
        Scope::DynamicBroker | Scope::Broker => &[],
    });
    let keys = DEFINITIONS.iter().map(|definition| &definition.key).chain(topic_keys);
    let mut definitions: Vec<_> = keys.filter_map(|key| definition(key)).collect();
    definitions.sort_by_key(|definition| definition.key);
    definitions.dedup_by_key(|definition| definition.key);
    definitions
}

/// Checks a setting of a broker. Settings that only Apache Kafka knows pass: `Ok(false)` says that this one has no effect.
pub fn validate(key: &str, value: &str) -> Result<bool, ConfigError> {
    match definition(key) {
        Some(definition) => definition.validate(value).map(|()| true),
        None if foreign::is_known(key) => Ok(false),
        None => {
            let known = definitions();
            let keys = known.iter().map(|definition| definition.key).chain(foreign::keys());
            let nearest = keys.min_by_key(|known| distance(key, known)).unwrap_or_default();
            Err(ConfigError::UnknownKey { key: key.into(), nearest })
        }
    }
}

/// What counts for a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the setting of its name, see DEFINITIONS")]
pub struct Settings {
    pub auto_create_topics: bool,
    pub default_replication_factor: i32,
    pub delete_topics: bool,
    pub fetch_max_bytes: u32,
    pub fetch_session_slots: usize,
    pub group_initial_rebalance_delay_ms: u64,
    pub group_max_session_timeout_ms: i32,
    pub group_max_size: usize,
    pub group_min_session_timeout_ms: i32,
    pub cleaner_enabled: bool,
    pub cleaner_backoff_ms: u64,
    pub cleaner_memory_bytes: u64,
    pub checkpoint_interval_ms: u64,
    /// How much is appended before it is due all the same.
    pub checkpoint_bytes: u64,
    pub retention_check_interval_ms: u64,
    pub num_partitions: i32,
    pub offset_metadata_max_bytes: usize,
    pub offsets_retention_check_interval_ms: u64,
    pub offsets_retention_ms: i64,
    pub offsets_topic_partitions: i32,
    pub offsets_topic_replication_factor: i16,
    pub offsets_topic_segment_bytes: i64,
    pub disk_reserve_bytes: u64,
    pub journal_bytes: u64,
    pub journal_partition_bytes_max: u64,
    pub journal_partitions_min: usize,
    pub producer_id_expiration_ms: i64,
}

impl Settings {
    /// What counts, with `layers` of which the topic's is not looked at.
    pub fn resolve(layers: &Layers<'_>) -> Self {
        let text = |key: &str| {
            let definition = definition(key).expect("the key is in the table above");
            layers.resolve(&definition).value.unwrap_or_default()
        };
        // All values were validated when they were set.
        let number = |key: &str| text(key).trim().parse::<i64>().unwrap_or_default();
        let unsigned = |key: &str| u64::try_from(number(key)).unwrap_or_default();
        let size = |key: &str| usize::try_from(number(key)).unwrap_or_default();
        let int = |key: &str| i32::try_from(number(key)).unwrap_or_default();
        let boolean = |key: &str| text(key).trim().eq_ignore_ascii_case("true");
        Self {
            auto_create_topics: boolean("auto.create.topics.enable"),
            default_replication_factor: int("default.replication.factor"),
            delete_topics: boolean("delete.topic.enable"),
            fetch_max_bytes: u32::try_from(number("fetch.max.bytes")).unwrap_or_default(),
            fetch_session_slots: size("max.incremental.fetch.session.cache.slots"),
            group_initial_rebalance_delay_ms: unsigned("group.initial.rebalance.delay.ms"),
            group_max_session_timeout_ms: int("group.max.session.timeout.ms"),
            group_max_size: size("group.max.size"),
            group_min_session_timeout_ms: int("group.min.session.timeout.ms"),
            cleaner_enabled: boolean("log.cleaner.enable"),
            cleaner_backoff_ms: unsigned("log.cleaner.backoff.ms"),
            cleaner_memory_bytes: unsigned("log.cleaner.dedupe.buffer.size"),
            checkpoint_interval_ms: unsigned("log.flush.offset.checkpoint.interval.ms"),
            checkpoint_bytes: unsigned("ottla.flush.offset.checkpoint.bytes"),
            retention_check_interval_ms: unsigned("log.retention.check.interval.ms"),
            num_partitions: int("num.partitions"),
            offset_metadata_max_bytes: size("offset.metadata.max.bytes"),
            offsets_retention_check_interval_ms: unsigned("offsets.retention.check.interval.ms"),
            offsets_retention_ms: number("offsets.retention.minutes").saturating_mul(60_000),
            offsets_topic_partitions: int("offsets.topic.num.partitions"),
            offsets_topic_replication_factor: i16::try_from(number(
                "offsets.topic.replication.factor",
            ))
            .unwrap_or_default(),
            offsets_topic_segment_bytes: number("offsets.topic.segment.bytes"),
            disk_reserve_bytes: unsigned("ottla.disk.reserve.bytes"),
            journal_bytes: journal_bytes(layers),
            journal_partition_bytes_max: unsigned("ottla.journal.partition.bytes.max"),
            journal_partitions_min: size("ottla.journal.partitions.min"),
            producer_id_expiration_ms: number("producer.id.expiration.ms"),
        }
    }

    /// Those of a broker that was told nothing.
    pub fn defaults() -> Self {
        let configuration = BTreeMap::new();
        Self::resolve(&Layers {
            topic: None,
            broker: None,
            all_brokers: None,
            configuration: &configuration,
        })
    }
}

/// How large each of the journal's files is; 0 if there is none.
pub(super) fn journal_bytes(layers: &Layers<'_>) -> u64 {
    let definition = definition("ottla.journal.bytes").expect("the key is in the table above");
    let value = layers.resolve(&definition).value.and_then(|value| value.trim().parse().ok());
    value.unwrap_or(0).min(1 << 30)
}

/// The value of a setting in a broker's configuration, or its default.
pub fn configured(configuration: &BTreeMap<String, String>, key: &str) -> Option<String> {
    let value = configuration.get(key).cloned();
    value.or_else(|| {
        definition(key).and_then(|definition| definition.default).map(ToString::to_string)
    })
}
