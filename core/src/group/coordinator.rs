//! Coordinators: each owns the groups that one partition of `__consumer_offsets` keeps.
//!
//! A coordinator reads its partition from beginning to end before it answers anything, so that it never serves from half of what
//! it knew. What its groups want written down is appended to the partition, and takes effect once it is durable.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};

use bytes::Bytes;

use super::{
    Group, GroupContext, GroupSettings, OffsetKey, Then, Write,
    records::{self, Read},
};
use crate::{
    inspect::GroupFigures,
    machine::{Now, Random},
    mutants::{Mutant, planted},
    records::{
        BATCH_HEADER_BYTES, BatchBuilder, Compression, Records,
        batch::{self, BatchHeader},
    },
    session::RequestId,
    types::{ErrorCode, Instant, Offset, Timestamp},
    wire::Response,
};

/// The coordinators of a shard, by the index of their partition.
#[derive(Debug)]
pub struct Coordinators {
    /// The coordinators.
    pub by_partition: BTreeMap<u32, Coordinator>,
    /// Those that have read all that may be read, of logs that go on behind that.
    pub awaiting_end: BTreeSet<u32>,
    /// Member ids are made of this.
    pub random: Random,
    /// FindCoordinator requests that wait for the topic to be made.
    pub waiting:
        Vec<(RequestId, i16, crate::wire::messages::find_coordinator::FindCoordinatorRequest)>,
    /// DeleteGroups requests that wait for their tombstones.
    pub deletions: BTreeMap<RequestId, PendingDeletions>,
}

/// A DeleteGroups that waits for its tombstones.
#[derive(Debug)]
pub struct PendingDeletions {
    /// The answer so far.
    pub response: crate::wire::messages::delete_groups::DeleteGroupsResponse,
    /// How many groups are yet to go.
    pub left: usize,
}

impl Coordinators {
    /// None yet.
    pub const fn new(random: Random) -> Self {
        Self {
            by_partition: BTreeMap::new(),
            awaiting_end: BTreeSet::new(),
            random,
            waiting: Vec::new(),
            deletions: BTreeMap::new(),
        }
    }

    /// Asserts the invariants of all groups.
    pub fn check(&self) {
        for group in self.by_partition.values().flat_map(Coordinator::groups) {
            group.check();
        }
    }

    /// What all groups tell for metrics.
    pub fn inspect(&self) -> Vec<GroupFigures> {
        let groups = self.by_partition.values().flat_map(|owner| owner.groups.values());
        groups.map(Group::figures).collect()
    }
}

/// Which partition of `__consumer_offsets` keeps a group: as Kafka, by Java's hash of the id.
pub fn partition_of(group: &str, partitions: usize) -> Option<u32> {
    let hash = group
        .encode_utf16()
        .fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    let positive = u32::try_from(hash & i32::MAX).unwrap_or_default();
    let partitions = u32::try_from(partitions).ok()?;
    positive.checked_rem(partitions)
}

/// Whether a coordinator serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Phase {
    /// It has read everything below this.
    Loading(Offset),
    Serving,
    /// Its partition cannot be read.
    Failed,
}

/// A coordinator.
///
/// What its groups' members ask, it is asked by the methods of `requests.rs`; what they say comes in the
/// [`Outbox`](super::Outbox). A [`Write`] in it goes through [`begin_write`](Self::begin_write) to the partition, and
/// comes back to [`write_ended`](Self::write_ended).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Coordinator {
    /// The slot of its partition.
    slot: u32,
    phase: Phase,
    groups: BTreeMap<String, Group>,
    /// What is being written down.
    writes: BTreeMap<u64, Write>,
}

impl Coordinator {
    /// A coordinator that has yet to read its partition.
    pub const fn new(slot: u32) -> Self {
        Self {
            slot,
            phase: Phase::Loading(Offset::ZERO),
            groups: BTreeMap::new(),
            writes: BTreeMap::new(),
        }
    }

    /// The slot of its partition.
    pub const fn slot(&self) -> u32 {
        self.slot
    }

    /// Whether it can answer, and why not.
    pub fn check_serving(&self) -> Result<(), ErrorCode> {
        match self.phase {
            Phase::Loading(_) if planted(Mutant::ServesWhileLoading) => Ok(()),
            Phase::Loading(_) => Err(ErrorCode::CoordinatorLoadInProgress),
            Phase::Serving => Ok(()),
            Phase::Failed => Err(ErrorCode::CoordinatorNotAvailable),
        }
    }

    /// From where on its partition is to be read, while it is loading.
    pub const fn loading_from(&self) -> Option<Offset> {
        match self.phase {
            Phase::Loading(offset) => Some(offset),
            Phase::Serving | Phase::Failed => None,
        }
    }

    /// Nothing below this is there any more.
    pub fn skip_to(&mut self, offset: Offset) {
        if let Phase::Loading(from) = &mut self.phase {
            *from = offset.max(*from);
        }
    }

    /// Its partition cannot be read.
    pub fn fail(&mut self) {
        self.phase = Phase::Failed;
    }

    /// Everything has been read. Returns how many groups and offsets there are.
    pub fn begin_serving(&mut self, now: Now) -> (usize, usize) {
        self.phase = Phase::Serving;
        // A group that is nothing but its name was on its way out.
        self.groups.retain(|_, group| group.generation > 0 || group.offset_count() > 0);
        for group in self.groups.values_mut() {
            // Sessions begin anew: the members could not reach us.
            for member in group.members.values_mut() {
                member.session_deadline = super::join::after_ms(now, member.session_timeout_ms);
            }
            group.check();
        }
        let offsets = self.groups.values().map(Group::offset_count).sum();
        (self.groups.len(), offsets)
    }

    /// Takes batches of its partition. Returns how many bytes were taken, or nothing if they are damaged.
    pub fn load(&mut self, bytes: &Bytes, now: Now) -> Option<usize> {
        let mut taken = 0;
        while let Ok(header) = batch::verify(&bytes[taken..]) {
            let body = &bytes[taken + BATCH_HEADER_BYTES..taken + header.size_bytes];
            if !header.attributes.is_control() {
                self.load_batch(&header, body, now)?;
            }
            taken += header.size_bytes;
            self.skip_to(header.next_offset());
        }
        Some(taken)
    }

    fn load_batch(&mut self, header: &BatchHeader, body: &[u8], now: Now) -> Option<()> {
        let body = header.attributes.compression()?.decompress(body).ok()?;
        for record in Records::new(&body) {
            let record = record.ok()?;
            let key = Bytes::copy_from_slice(record.key?);
            let value = record.value.map(Bytes::copy_from_slice);
            // What cannot be read is of no use to anybody; the rest still is.
            if let Ok(read) = records::read(key, value) {
                self.take_record(read, now);
            }
        }
        Some(())
    }

    fn take_record(&mut self, record: Read, now: Now) {
        match record {
            Read::Group(id, value) => self.group_for_loading(id, now).restore(value, now),
            Read::GroupGone(id) => {
                self.groups.remove(&id);
            }
            Read::Offset(..) if planted(Mutant::OffsetsNotLoaded) => {}
            Read::Offset(id, key, mut committed) => {
                if planted(Mutant::ExpiryBeginsAnew) {
                    committed.expire_timestamp = Some(committed.commit_timestamp);
                }
                if planted(Mutant::OldestCommitWins)
                    && self.groups.get(&id).is_some_and(|group| group.offset(&key).is_some())
                {
                    return;
                }
                self.group_for_loading(id, now).take_offset(key, committed);
            }
            Read::OffsetGone(..) if planted(Mutant::OffsetTombstonesIgnored) => {}
            Read::OffsetGone(id, key) => {
                if let Some(group) = self.groups.get_mut(&id) {
                    group.forget_offset(&key);
                }
            }
            Read::Unknown => {}
        }
    }

    fn group_for_loading(&mut self, id: String, now: Now) -> &mut Group {
        let name = id.clone();
        self.groups.entry(id).or_insert_with(|| Group::new(name, now.timestamp))
    }

    /// What is being written down, in its order.
    pub fn writes(&self) -> impl Iterator<Item = &Write> {
        self.writes.values()
    }

    /// The groups.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    /// A group.
    pub fn group(&self, id: &str) -> Option<&Group> {
        self.groups.get(id)
    }

    /// A group that is there, to be told something.
    pub fn group_mut(&mut self, id: &str) -> Option<&mut Group> {
        self.groups.get_mut(id)
    }

    /// A group, made if it is not there.
    pub fn group_or_new(&mut self, id: &str, now: Timestamp) -> &mut Group {
        self.groups.entry(id.into()).or_insert_with(|| Group::new(id.into(), now))
    }

    /// When the first of its groups wants to be called.
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.phase != Phase::Serving {
            return None;
        }
        self.groups.values().filter_map(Group::next_deadline).min()
    }

    /// What the groups' clocks ask for.
    pub fn take_timeouts(&mut self, context: &mut GroupContext<'_>) {
        for group in self.groups.values_mut() {
            let is_due =
                group.next_deadline().is_some_and(|deadline| deadline <= context.now.instant);
            if is_due {
                group.take_timeouts(context);
            }
        }
    }

    /// Writes the tombstones of what has expired. Returns for each group how many offsets it was.
    pub fn expire_offsets(&mut self, context: &mut GroupContext<'_>) -> Vec<(String, usize)> {
        let retention_ms = context.settings.offsets_retention_ms;
        let mut told = Vec::new();
        if self.phase != Phase::Serving {
            // A group that is half read looks as if it had nothing to lose.
            return told;
        }
        // What is being committed is as good as there: its tombstone would lie behind it.
        let mut under_way: BTreeMap<&str, BTreeSet<&OffsetKey>> = BTreeMap::new();
        for write in self.writes.values() {
            if let Then::Commit { offsets, .. } = &write.then {
                let keys = offsets.iter().map(|(key, _)| key);
                under_way.entry(&write.group).or_default().extend(keys);
            }
        }
        for group in self.groups.values_mut() {
            let committing = under_way.get(group.id());
            let mut expired = group.expired_offsets(retention_ms, context.now.timestamp);
            expired.retain(|key| committing.is_none_or(|keys| !keys.contains(key)));
            let count = expired.len();
            if committing.is_none() && group.is_forgotten(count) {
                group.delete(None, context);
            } else if count > 0 {
                group.delete_offsets(expired, None, context);
            }
            if count > 0 {
                told.push((group.id().into(), count));
            }
        }
        told
    }

    /// Writes the tombstones of the offsets of a topic that was deleted.
    pub fn forget_topic(&mut self, topic: &str, context: &mut GroupContext<'_>) {
        let groups = self.groups.values().filter(|_| !planted(Mutant::OffsetsByNameAlone));
        for group in groups {
            let keys = group.offsets().map(|(key, _)| key).filter(|key| key.topic == topic);
            let keys: Vec<_> = keys.cloned().collect();
            if !keys.is_empty() {
                group.delete_offsets(keys, None, context);
            }
        }
    }

    /// The batch that a write is, and the token by which its end is told.
    pub fn begin_write(&mut self, write: Write, now: Timestamp) -> (u64, Bytes) {
        let mut builder = BatchBuilder::new(Compression::None);
        for (key, value) in &write.records {
            builder.push(now, Some(key), value.as_deref(), &[]);
        }
        // A token is free again when its write has ended, for each ends once.
        let token = self.writes.last_key_value().map_or(0, |(last, _)| last + 1);
        self.writes.insert(token, write);
        (token, builder.build())
    }

    /// A write has ended: what it was for takes effect, or is refused.
    pub fn write_ended(
        &mut self,
        token: u64,
        result: Result<(), ErrorCode>,
        context: &mut GroupContext<'_>,
    ) -> Option<Deleted> {
        let Write { group: id, then, .. } = self.writes.remove(&token)?;
        let error = result.map_err(for_client);
        let group = self.groups.get_mut(&id);
        match then {
            Then::Nothing => {}
            Then::Assign { generation, assignments } => {
                if let Some(group) = group {
                    group.assigned(generation, assignments, error, context);
                }
            }
            Then::ReplaceStatic { request, mut response } => {
                if let Err(error) = error {
                    response = super::join::refuse(response.member_id, error);
                }
                context.out.answers.push((request, response.into()));
            }
            Then::Commit { request, mut response, offsets } => {
                match error {
                    Ok(()) => {
                        let group = self.group_or_new(&id, context.now.timestamp);
                        for (key, committed) in offsets {
                            group.take_offset(key, committed);
                        }
                    }
                    Err(error) => response.refuse_all(error),
                }
                context.out.answers.push((request, response.into()));
            }
            Then::Forget { request, offsets } => {
                if let (Some(group), true) = (group, error.is_ok()) {
                    for key in &offsets {
                        group.forget_offset(key);
                    }
                }
                if let Some((request, response)) = request {
                    context.out.answers.push((request, answer_deletion(response, error)));
                }
            }
            Then::Delete { request } => {
                match (error, group) {
                    (Err(_), Some(group)) => group.outlive_deletion(),
                    (Err(_), None) => {}
                    (Ok(()), _) => drop(self.groups.remove(&id)),
                }
                return request.map(|(request, index)| Deleted { request, index, error });
            }
        }
        None
    }
}

/// A group was deleted, or could not be, as a client had asked.
#[derive(Debug)]
pub struct Deleted {
    /// The request.
    pub request: RequestId,
    /// Which of its groups.
    pub index: usize,
    /// Whether it is gone.
    pub error: Result<(), ErrorCode>,
}

/// What a client is told when the coordinator cannot write: to look for another one, and to try again.
const fn for_client(error: ErrorCode) -> ErrorCode {
    if matches!(error, ErrorCode::KafkaStorageError | ErrorCode::NotLeaderOrFollower) {
        ErrorCode::NotCoordinator
    } else if matches!(error, ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge) {
        ErrorCode::InvalidCommitOffsetSize
    } else {
        ErrorCode::CoordinatorNotAvailable
    }
}

fn answer_deletion(response: Response, error: Result<(), ErrorCode>) -> Response {
    match (response, error) {
        (Response::OffsetDelete(mut response), Err(error)) => {
            response.error_code = error.code();
            response.topics.clear();
            response.into()
        }
        (response, _) => response,
    }
}

/// The settings of groups, out of the broker's.
pub fn settings(settings: &crate::config::Settings) -> GroupSettings {
    GroupSettings {
        min_session_timeout_ms: settings.group_min_session_timeout_ms,
        max_session_timeout_ms: settings.group_max_session_timeout_ms,
        initial_rebalance_delay_ms: settings.group_initial_rebalance_delay_ms,
        max_size: settings.group_max_size,
        offset_metadata_max_bytes: settings.offset_metadata_max_bytes,
        offsets_retention_ms: settings.offsets_retention_ms,
    }
}
