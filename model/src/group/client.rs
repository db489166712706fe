//! A member's process: what Kafka's consumers do, as far as it matters to the group.

use std::{collections::BTreeMap, fmt};

use bytes::Bytes;
use ottla_core::wire::{
    Reader, Version, Wire, Writer,
    messages::consumer_protocol::{
        AssignedPartitions, ConsumerProtocolAssignment, ConsumerProtocolSubscription,
        TopicPartition,
    },
};

use super::{Commits, Protocol, TOPIC};

/// Where a member is in the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Phase {
    /// It must join.
    #[default]
    Out,
    /// It waits for the answer to its JoinGroup.
    Joining,
    /// It has joined, and must ask for its assignment.
    Joined,
    /// It waits for the answer to its SyncGroup.
    Syncing,
    /// It has its assignment.
    Stable,
    /// Another process has its place: it has given up.
    Fenced,
    /// It has crashed for good.
    Dead,
}

/// What a member does with a partition that it owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Work {
    /// What it fetches next; nothing as long as it does not know where to begin.
    pub position: Option<u8>,
    /// The record that it was handed and has not processed.
    pub hand: Option<u8>,
    /// What it is to commit.
    pub to_commit: Option<u8>,
    /// It may process what it was handed: what must be committed first was.
    pub may_process: bool,
    /// It is to be given back.
    pub revoked: bool,
}

impl Work {
    /// It is to commit once more how far it is.
    pub fn commit_again(&mut self, commits: Commits) {
        self.to_commit = match (commits, self.hand) {
            (Commits::AfterProcessing, Some(record)) => Some(record),
            (_, _) => self.position,
        };
    }
}

/// A member's process.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Client {
    /// Its connection: another one after a crash and after a disconnect.
    pub connection: u8,
    /// Where it is in the protocol.
    pub phase: Phase,
    /// The id that it was given; empty if none.
    pub member_id: String,
    /// The generation that it knows; -1 for none.
    pub generation: i32,
    /// The members that it is to assign partitions to, if it leads.
    pub leads: Option<Vec<(String, Bytes)>>,
    /// What it owns.
    pub owned: BTreeMap<usize, Work>,
    /// Since which generation it owns what it owns; what it tells when it joins.
    pub owned_since: i32,
}

impl Default for Client {
    fn default() -> Self {
        Self {
            connection: 0,
            phase: Phase::Out,
            member_id: String::new(),
            generation: -1,
            leads: None,
            owned: BTreeMap::new(),
            owned_since: -1,
        }
    }
}

impl Client {
    /// It is alive and has not given up.
    pub const fn works(&self) -> bool {
        !matches!(self.phase, Phase::Fenced | Phase::Dead)
    }

    /// It is nobody's member any more: all is lost, and it must join anew.
    pub fn lose_membership(&mut self) {
        *self = Self { connection: self.connection, ..Self::default() };
    }

    /// It must join again, as the member that it is.
    pub fn must_rejoin(&mut self) {
        self.phase = Phase::Out;
        self.leads = None;
    }

    /// Nothing that it was handed is left to be processed: its poll loop may go on.
    pub fn is_between_polls(&self) -> bool {
        self.owned.values().all(|work| work.hand.is_none())
    }

    /// What it tells the assignor.
    pub fn subscription(&self, protocol: Protocol) -> Bytes {
        let owned: Vec<i32> = self.owned.keys().map(|index| to_i32(*index)).collect();
        let owned_partitions = match protocol {
            Protocol::Eager => Vec::new(),
            Protocol::Cooperative if owned.is_empty() => Vec::new(),
            Protocol::Cooperative => {
                vec![TopicPartition { topic: TOPIC.into(), partitions: owned }]
            }
        };
        let subscription = ConsumerProtocolSubscription {
            topics: vec![TOPIC.into()],
            owned_partitions,
            generation_id: self.owned_since,
            ..Default::default()
        };
        encode(&subscription, 2)
    }

    /// Takes what it was assigned.
    pub fn take_assignment(&mut self, assignment: Bytes) {
        let assigned = decode_assignment(assignment);
        self.phase = Phase::Stable;
        self.owned_since = self.generation;
        for (partition, work) in &mut self.owned {
            work.revoked = !assigned.contains(partition);
        }
        for partition in assigned {
            self.owned.entry(partition).or_default();
        }
    }
}

/// Assigns partitions to members: what each keeps or gets, sticking to what the members of the last generation own. With the
/// cooperative protocol nobody gets what another has yet to give back.
pub(super) fn assign(
    members: &[(String, Bytes)],
    partitions: usize,
    protocol: Protocol,
) -> Vec<(String, Bytes)> {
    let told: Vec<_> = members
        .iter()
        .map(|(id, metadata)| (id.clone(), decode_subscription(metadata.clone())))
        .collect();
    let last = told.iter().map(|(_, known)| known.generation_id).max().unwrap_or(-1);
    let mut owner: BTreeMap<usize, usize> = BTreeMap::new();
    for (number, (_, known)) in told.iter().enumerate() {
        let owned = known.owned_partitions.iter().flat_map(|topic| &topic.partitions);
        for partition in owned.filter(|_| known.generation_id == last) {
            owner.insert(usize::try_from(*partition).expect("it is an index"), number);
        }
    }
    let fair = partitions.div_ceil(told.len().max(1));
    let mut target: Vec<Vec<usize>> = vec![Vec::new(); told.len()];
    let mut rest = Vec::new();
    for partition in 0..partitions {
        match owner.get(&partition) {
            Some(owner) if target[*owner].len() < fair => target[*owner].push(partition),
            Some(_) | None => rest.push(partition),
        }
    }
    for partition in rest {
        let (taker, _) =
            target.iter().enumerate().min_by_key(|(_, has)| has.len()).expect("somebody joined");
        target[taker].push(partition);
    }
    let assigned = told.into_iter().zip(target).enumerate().map(|(number, ((id, _), wanted))| {
        let given = wanted.into_iter().filter(|partition| {
            let held = owner.get(partition).is_some_and(|owner| *owner != number);
            protocol == Protocol::Eager || !held
        });
        let given: Vec<i32> = given.map(to_i32).collect();
        let assigned_partitions =
            vec![AssignedPartitions { topic: TOPIC.into(), partitions: given }];
        let assignment = ConsumerProtocolAssignment { assigned_partitions, ..Default::default() };
        (id, encode(&assignment, 0))
    });
    assigned.collect()
}

fn to_i32(index: usize) -> i32 {
    i32::try_from(index).expect("there are few partitions")
}

fn encode(message: &impl Wire, number: i16) -> Bytes {
    let mut writer = Writer::new();
    writer.put_i16(number);
    message.encode(&mut writer, Version { number, flexible: false });
    writer.freeze()
}

fn decode<T: Wire>(bytes: Bytes) -> T {
    let mut reader = Reader::new(bytes);
    let plain = Version { number: 0, flexible: false };
    let number = i16::decode(&mut reader, plain).expect("a client wrote it");
    T::decode(&mut reader, Version { number, flexible: false }).expect("a client wrote it")
}

fn decode_subscription(bytes: Bytes) -> ConsumerProtocolSubscription {
    decode(bytes)
}

fn decode_assignment(bytes: Bytes) -> Vec<usize> {
    if bytes.is_empty() {
        return Vec::new();
    }
    let assignment: ConsumerProtocolAssignment = decode(bytes);
    let partitions = assignment.assigned_partitions.into_iter().flat_map(|topic| topic.partitions);
    partitions.map(|index| usize::try_from(index).expect("it is an index")).collect()
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.phase)?;
        if !self.member_id.is_empty() {
            write!(f, " as {} in generation {}", &self.member_id[..8], self.generation)?;
        }
        for (partition, work) in &self.owned {
            write!(f, ", partition {partition}")?;
            if let Some(position) = work.position {
                write!(f, " at {position}")?;
            }
            if let Some(hand) = work.hand {
                write!(f, " with record {hand} in hand")?;
            }
            if let Some(offset) = work.to_commit {
                write!(f, ", to commit {offset}")?;
            }
            if work.revoked {
                write!(f, ", to be given back")?;
            }
        }
        Ok(())
    }
}
