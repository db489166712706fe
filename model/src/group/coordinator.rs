//! The broker's side: the core's coordinator, its log, and what goes in and out.

use std::fmt;

use bytes::Bytes;
use ottla_core::{
    group::{
        Commit, CommittedOffset, Coordinator, GroupContext, GroupRecord, GroupSettings, GroupTimer,
        OffsetKey, Outbox, join::Joining, offsets::Committer,
    },
    machine::{ConnectionId, Now, Random},
    records::{BatchBuilder, Compression},
    session::RequestId,
    types::{ErrorCode, Instant, Offset, Timestamp},
    wire::{
        Response,
        messages::{
            heartbeat::HeartbeatRequest,
            join_group::{JoinGroupRequest, JoinGroupRequestProtocol},
            offset_commit::{
                OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
            },
            sync_group::{SyncGroupRequest, SyncGroupRequestAssignment},
        },
    },
};

use super::{Client, GROUP, Group, TOPIC, new_coordinator};

/// Time stands still.
const NOW: Now = Now { instant: Instant(0), timestamp: Timestamp(0) };

/// After so long every offset is old.
const RETENTION_MS: i64 = 1_000;

const SETTINGS: GroupSettings = GroupSettings {
    min_session_timeout_ms: 0,
    max_session_timeout_ms: i32::MAX,
    initial_rebalance_delay_ms: 0,
    max_size: usize::MAX,
    offset_metadata_max_bytes: 0,
    offsets_retention_ms: RETENTION_MS,
};

/// The versions that the members speak.
const JOIN_VERSION: i16 = 9;
const COMMIT_VERSION: i16 = 9;

/// The numbers of the requests; that of an OffsetCommit counts on by its partition.
const JOIN: u64 = 1;
const SYNC: u64 = 2;
pub(super) const COMMIT: u64 = 3;

/// How many ids a client may have in use at once; more would be a fault of the model.
const IDS: u64 = 6;

/// A client has so many connections at most.
const CONNECTIONS: u64 = 256;

/// An OffsetCommit on its way.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CommitRequest {
    /// The client, and the connection on which it was sent.
    pub client: usize,
    /// The connection on which it was sent.
    pub connection: u8,
    /// The member that the client was.
    pub member_id: String,
    /// The generation that it knew.
    pub generation: i32,
    /// The partition.
    pub partition: usize,
    /// The offset of the next record.
    pub offset: u8,
}

/// The coordinator and its log.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Broker {
    /// The core's machine.
    pub coordinator: Coordinator,
    /// What is durable of its partition.
    pub log: Vec<GroupRecord>,
    /// What is being written down, in order.
    pub writes: Vec<Writing>,
    /// The log keeps what was overwritten, too.
    pub keeps_all: bool,
    /// It has loaded its log.
    pub loaded: bool,
}

/// Who has committed: the client, and the generation that it knew.
pub(super) type Author = (usize, i32);

/// What is being written down.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Writing {
    /// By this the coordinator knows it.
    token: u64,
    records: Vec<GroupRecord>,
    /// The partition and the offset, if it is a commit.
    pub(super) committed: Option<(usize, u8)>,
    /// Who has committed, if it is a commit.
    pub(super) author: Option<Author>,
}

/// Answers to clients.
pub(super) type Answers = Vec<(RequestId, Response)>;

impl Broker {
    /// A coordinator of an empty partition, which it has loaded.
    pub fn new(keeps_all: bool) -> Self {
        let mut coordinator = new_coordinator();
        coordinator.begin_serving(NOW);
        Self { coordinator, log: Vec::new(), writes: Vec::new(), keeps_all, loaded: true }
    }

    /// The core's group, if there is one.
    pub fn group(&self) -> Option<&ottla_core::group::Group> {
        self.coordinator.group(GROUP)
    }

    /// What is committed for a partition; -1 for nothing.
    pub fn committed(&self, partition: usize) -> i64 {
        let committed = self.group().and_then(|group| group.offset(&key(partition)));
        committed.map_or(-1, |committed| committed.offset.0)
    }

    /// Whether it answers.
    pub fn serves(&self) -> bool {
        self.coordinator.check_serving().is_ok()
    }

    fn with<R>(
        &mut self,
        seed: u64,
        now: Now,
        answers: &mut Answers,
        act: impl FnOnce(&mut Coordinator, &mut GroupContext<'_>) -> R,
    ) -> R {
        let mut out = Outbox::default();
        let mut random = Random::new(seed);
        let mut context =
            GroupContext { now, settings: SETTINGS, random: &mut random, out: &mut out };
        let result = act(&mut self.coordinator, &mut context);
        for write in out.writes {
            let records = write.records.clone();
            let (token, _) = self.coordinator.begin_write(write, now.timestamp);
            self.writes.push(Writing { token, records, committed: None, author: None });
        }
        answers.extend(out.answers);
        if let Some(group) = self.group() {
            group.check();
        }
        result
    }

    /// Takes a JoinGroup; a new member gets the id of this seed.
    pub fn join(&mut self, model: &Group, number: usize, client: &Client, seed: u64) -> Answers {
        let protocol = JoinGroupRequestProtocol {
            name: "p".into(),
            metadata: client.subscription(model.protocol),
        };
        let joining = Joining {
            request: request(number, client.connection, JOIN),
            version: JOIN_VERSION,
            client_id: format!("c{number}"),
            client_host: "/127.0.0.1".into(),
            body: JoinGroupRequest {
                group_id: GROUP.into(),
                session_timeout_ms: 10_000,
                rebalance_timeout_ms: 60_000,
                member_id: client.member_id.clone(),
                group_instance_id: model.one_instance.then(|| "i".into()),
                protocol_type: "consumer".into(),
                protocols: vec![protocol],
                reason: None,
            },
        };
        let mut answers = Answers::new();
        self.with(seed, NOW, &mut answers, |coordinator, context| {
            coordinator.join_group(joining, context);
        });
        answers
    }

    /// Takes a SyncGroup, with the assignments if the member leads.
    pub fn sync(
        &mut self,
        model: &Group,
        number: usize,
        client: &Client,
        assignments: Vec<(String, Bytes)>,
    ) -> Answers {
        let assignments = assignments
            .into_iter()
            .map(|(member_id, assignment)| SyncGroupRequestAssignment { member_id, assignment });
        let body = SyncGroupRequest {
            group_id: GROUP.into(),
            generation_id: client.generation,
            member_id: client.member_id.clone(),
            group_instance_id: model.one_instance.then(|| "i".into()),
            protocol_type: Some("consumer".into()),
            protocol_name: Some("p".into()),
            assignments: assignments.collect(),
        };
        let mut answers = Answers::new();
        self.with(0, NOW, &mut answers, |coordinator, context| {
            coordinator.sync_group(request(number, client.connection, SYNC), body, context);
        });
        answers
    }

    /// Takes a Heartbeat.
    pub fn heartbeat(&mut self, model: &Group, client: &Client) -> ErrorCode {
        let body = HeartbeatRequest {
            group_id: GROUP.into(),
            generation_id: client.generation,
            member_id: client.member_id.clone(),
            group_instance_id: model.one_instance.then(|| "i".into()),
        };
        let mut answers = Answers::new();
        self.with(0, NOW, &mut answers, |coordinator, context| {
            coordinator.heartbeat(&body, context)
        })
    }

    /// Takes an OffsetCommit.
    pub fn commit(&mut self, model: &Group, sent: &CommitRequest) -> Answers {
        let committed = CommittedOffset {
            offset: Offset(sent.offset.into()),
            leader_epoch: None,
            metadata: String::new(),
            commit_timestamp: NOW.timestamp,
            expire_timestamp: None,
            topic_id: None,
        };
        let partition_index = i32::try_from(sent.partition).expect("there are few partitions");
        let partitions = vec![OffsetCommitResponsePartition { partition_index, error_code: 0 }];
        let topic = OffsetCommitResponseTopic {
            name: TOPIC.into(),
            partitions,
            ..OffsetCommitResponseTopic::default()
        };
        let response =
            OffsetCommitResponse { topics: vec![topic], ..OffsetCommitResponse::default() };
        let commit = Commit {
            request: request(sent.client, sent.connection, COMMIT + sent.partition as u64),
            version: COMMIT_VERSION,
            group_id: GROUP,
            committer: Committer {
                member_id: &sent.member_id,
                instance_id: model.one_instance.then_some("i"),
                generation: sent.generation,
            },
            response,
            offsets: vec![(key(sent.partition), committed)],
        };
        let mut answers = Answers::new();
        let under_way = self.writes.len();
        self.with(0, NOW, &mut answers, |coordinator, context| {
            coordinator.commit_offsets(commit, context);
        });
        for write in &mut self.writes[under_way..] {
            write.author = Some((sent.client, sent.generation));
            write.committed = Some((sent.partition, sent.offset));
        }
        answers
    }

    /// The first write is durable.
    pub fn written(&mut self) -> Answers {
        let Writing { token, records, .. } = self.writes.remove(0);
        self.keep(records);
        let mut answers = Answers::new();
        self.with(0, NOW, &mut answers, |coordinator, context| {
            coordinator.write_ended(token, Ok(()), context);
        });
        answers
    }

    /// Appends records, and compacts.
    fn keep(&mut self, records: Vec<GroupRecord>) {
        for record in records {
            if !self.keeps_all {
                self.log.retain(|known| known.0 != record.0);
            }
            self.log.push(record);
        }
    }

    /// Nothing has come of what the coordinator waited for.
    pub fn time_out(&mut self, timer: GroupTimer) -> Answers {
        let mut answers = Answers::new();
        self.with(0, NOW, &mut answers, |coordinator, context| {
            if let Some(group) = coordinator.group_mut(GROUP) {
                group.time_out(timer, context);
            }
        });
        answers
    }

    /// Expired offsets are looked for when all are old.
    pub fn expire_offsets(&mut self) -> Answers {
        let late = Now { timestamp: Timestamp(2 * RETENTION_MS), ..NOW };
        let mut answers = Answers::new();
        self.with(0, late, &mut answers, Coordinator::expire_offsets);
        answers
    }

    /// The coordinator is another one, which has yet to load. Of what was being written down, so much is durable.
    pub fn restart(&mut self, durable: usize) {
        let writes = std::mem::take(&mut self.writes);
        for Writing { records, .. } in writes.into_iter().take(durable) {
            self.keep(records);
        }
        self.coordinator = new_coordinator();
        self.loaded = false;
    }

    /// The coordinator reads its log, as the core writes it, and serves.
    pub fn load(&mut self) {
        for (key, value) in &self.log {
            let mut builder = BatchBuilder::new(Compression::None);
            builder.push(NOW.timestamp, Some(key), value.as_deref(), &[]);
            let batch = builder.build();
            assert_eq!(self.coordinator.load(&batch, NOW), Some(batch.len()), "it was written so");
        }
        self.coordinator.begin_serving(NOW);
        self.loaded = true;
    }

    /// Whether an id is that of a member, or was given to one that is to join.
    pub fn is_member(&self, id: &str) -> bool {
        self.group().is_some_and(|group| {
            let timers = group.timers().any(|(timer, _)| match timer {
                GroupTimer::Pending(known) | GroupTimer::Session(known) => known == id,
                GroupTimer::Join | GroupTimer::Sync => false,
            });
            timers || group.members().contains_key(id)
        })
    }

    /// Whether an id stands anywhere in the broker.
    pub fn knows(&self, id: &str) -> bool {
        let names = |records: &Vec<GroupRecord>| {
            let values = records.iter().filter_map(|(_, value)| value.as_ref());
            values
                .into_iter()
                .any(|value| value.windows(id.len()).any(|part| part == id.as_bytes()))
        };
        self.is_member(id)
            || names(&self.log)
            || self.writes.iter().any(|write| names(&write.records))
    }
}

fn key(partition: usize) -> OffsetKey {
    let partition = i32::try_from(partition).expect("there are few partitions");
    OffsetKey { topic: TOPIC.into(), partition }
}

fn request(client: usize, connection: u8, number: u64) -> RequestId {
    let connection = ConnectionId(client as u64 * CONNECTIONS + u64::from(connection));
    RequestId { connection, number }
}

/// Whose connection a request came by.
pub(super) fn sender(request: RequestId) -> (usize, u8) {
    let ConnectionId(connection) = request.connection;
    let client = usize::try_from(connection / CONNECTIONS).expect("there are few clients");
    let connection = u8::try_from(connection % CONNECTIONS).expect("it is below");
    (client, connection)
}

/// Out of which seed a client gets an id: the core makes it of random numbers.
pub(super) const fn id_seed(client: usize, count: u64) -> u64 {
    client as u64 * IDS + count
}

/// The ids that the core gives a client's members.
pub(super) fn ids(model: &Group) -> Vec<Vec<String>> {
    let of_client = |number| {
        let ids = (0..IDS).map(|count| {
            let mut broker = Broker::new(false);
            let seed = id_seed(number, count);
            let answers = broker.join(model, number, &Client::default(), seed);
            match answers.into_iter().next() {
                Some((_, Response::JoinGroup(response))) => response.member_id,
                other => panic!("a JoinGroup is answered with an id, not {other:?}"),
            }
        });
        ids.collect()
    };
    (0..model.clients).map(of_client).collect()
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.loaded {
            return write!(f, "coordinator: loading {} records", self.log.len());
        }
        let Some(group) = self.group() else { return write!(f, "coordinator: no group") };
        write!(f, "coordinator: {}, generation {}", group.state().name(), group.generation())?;
        for (id, member) in group.members() {
            write!(f, ", {}", &id[..8])?;
            if member.awaiting_join.is_some() {
                write!(f, " (joining)")?;
            }
            if member.awaiting_sync.is_some() {
                write!(f, " (syncing)")?;
            }
        }
        for (key, committed) in group.offsets() {
            write!(f, ", committed {} of partition {}", committed.offset, key.partition)?;
        }
        write!(f, ", {} writes under way", self.writes.len())
    }
}

impl fmt::Debug for CommitRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, generation, partition, offset, .. } = self;
        write!(f, "commit {offset} of partition {partition} by {client} in generation {generation}")
    }
}
