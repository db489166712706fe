//! One CPU core's machines: connections, partitions, groups. Routes inputs to them and what they say to each other.

mod appends;
mod checkpoint;
mod cleaning;
mod housekeeping;
mod journal;
mod metadata;
mod partitions;
mod producer_ids;
mod replicas;
mod requests;
mod start;
mod sync;
mod timers;

use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet, VecDeque},
    string::String,
    vec::Vec,
};

use bytes::{Bytes, BytesMut};

pub(crate) use requests::Incoming;
pub use timers::Timer;

use crate::{
    api::Pending,
    config::Settings,
    disk::{Disk, DiskResult, IoId, Owner},
    group::Coordinators,
    job::JobResult,
    log::Log,
    machine::{ConnectionId, Effect, Effects, Now, Random},
    metadata::{Command, Image, ProposalId},
    mutants::{Mutant, planted},
    partition::{Context, Event, Partition},
    session::{RequestId, Session, fetch_sessions::FetchSessions},
    types::{BrokerId, Instant, TopicPartition, Uuid},
    wire::ApiKey,
};

/// What a shard is told.
#[derive(Debug, Clone)]
pub enum Input {
    /// A client has connected.
    Connected {
        /// The connection.
        connection: ConnectionId,
        /// Where the client is.
        host: String,
    },
    /// A request has arrived.
    Frame {
        /// On which connection.
        connection: ConnectionId,
        /// The request, without its length.
        frame: Bytes,
    },
    /// A connection has ended.
    Disconnected {
        /// Which.
        connection: ConnectionId,
    },
    /// A file operation has ended.
    Disk {
        /// Which.
        io: IoId,
        /// How.
        result: DiskResult,
    },
    /// A computation has ended.
    Computed {
        /// Which.
        io: IoId,
        /// With what.
        result: JobResult,
    },
    /// The metadata quorum has agreed on an entry.
    Committed {
        /// Whose proposal it was, if it was one of this shard's.
        proposal: Option<ProposalId>,
        /// The entry.
        commands: Vec<Command>,
    },
    /// The metadata quorum cannot decide on a proposal.
    ProposalFailed {
        /// Which.
        proposal: ProposalId,
    },
    /// How much space the disk has.
    DiskSpace {
        /// Free.
        free_bytes: u64,
        /// In all.
        total_bytes: u64,
    },
    /// A [timer](Shard::poll_timeout) is due.
    Timeout,
    /// Nothing more is waiting: what has gathered may go.
    Rest,
    /// Somebody wants to know how things are.
    Inspect,
    /// Write down what is in memory only, and end.
    Shutdown,
}

/// What a shard is made with.
#[derive(Debug, Clone)]
pub struct ShardConfig {
    /// `node.id`
    pub broker_id: BrokerId,
    /// The cluster's id.
    pub cluster_id: String,
    /// The data folder, as clients are told.
    pub log_directory: String,
    /// The broker's configuration.
    pub configuration: BTreeMap<String, String>,
    /// The metadata at the start.
    pub image: Image,
    /// Randomness enters here.
    pub seed: u64,
}

/// One CPU core's machines.
#[derive(Debug)]
pub struct Shard {
    pub(crate) broker_id: BrokerId,
    pub(crate) cluster_id: String,
    pub(crate) log_directory: String,
    pub(crate) configuration: BTreeMap<String, String>,
    pub(crate) settings: Settings,
    pub(crate) image: Image,
    pub(crate) sessions: BTreeMap<ConnectionId, Session>,
    /// By slot; a slot is never given again: somebody may still mean the partition that is gone.
    pub(crate) partitions: Vec<Option<Box<Partition>>>,
    pub(crate) slots: BTreeMap<TopicPartition, u32>,
    next_directory: u32,
    pub(crate) next_io: u64,
    events: VecDeque<(u32, Event)>,
    /// Connections of which a request was answered: another may begin.
    unblocked: Vec<ConnectionId>,
    pub(crate) pending: BTreeMap<RequestId, Pending>,
    /// Fetches that wait for more, by slot.
    pub(crate) watchers: BTreeMap<u32, BTreeSet<RequestId>>,
    pub(crate) fetch_sessions: FetchSessions,
    pub(crate) coordinators: Coordinators,
    pub(crate) proposals: BTreeMap<ProposalId, crate::api::Proposed>,
    next_proposal: u64,
    pub(crate) producer_ids: producer_ids::ProducerIds,
    pub(crate) random: Random,
    timers: timers::Timers,
    syncs: sync::Syncs,
    journal: crate::journal::Journal,
    work: journal::JournalWork,
    checkpoints: checkpoint::Checkpoints,
    cleaning: cleaning::Cleaning,
    alterations: replicas::Alterations,
    life: start::Life,
    pub(crate) disk_space: Option<DiskSpace>,
    pub(crate) writes_refused: bool,
    /// How many responses told of an error.
    pub(crate) request_errors: BTreeMap<ApiKey, u64>,
    /// Responses are encoded into this, one after the other.
    buffer: BytesMut,
}

/// How much space the disk has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskSpace {
    /// Free.
    pub free_bytes: u64,
    /// In all.
    pub total_bytes: u64,
}

/// What a step needs: the time, and where its effects go.
#[derive(Debug)]
pub(crate) struct Step<'a> {
    pub(crate) now: Now,
    pub(crate) effects: &'a mut Effects,
}

impl Shard {
    /// A shard that is about to start: see [`Effect::Ready`].
    pub fn new(config: ShardConfig, now: Now, effects: &mut Effects) -> Self {
        let ShardConfig { broker_id, cluster_id, log_directory, configuration, image, seed } =
            config;
        let mut random = Random::new(seed);
        let settings = Settings::defaults();
        let sessions_random = Random::new(random.next_u64());
        let coordinators_random = Random::new(random.next_u64());
        let cleaning = cleaning::Cleaning::new(random.next_u128());
        let mut shard = Self {
            broker_id,
            cluster_id,
            log_directory,
            configuration,
            settings,
            image,
            sessions: BTreeMap::new(),
            partitions: Vec::new(),
            slots: BTreeMap::new(),
            next_directory: start::FIRST_DIRECTORY,
            next_io: 0,
            events: VecDeque::new(),
            unblocked: Vec::new(),
            pending: BTreeMap::new(),
            watchers: BTreeMap::new(),
            fetch_sessions: FetchSessions::new(0, sessions_random),
            coordinators: Coordinators::new(coordinators_random),
            proposals: BTreeMap::new(),
            next_proposal: 0,
            producer_ids: producer_ids::ProducerIds::default(),
            random,
            timers: timers::Timers::default(),
            syncs: sync::Syncs::default(),
            journal: crate::journal::Journal::default(),
            work: journal::JournalWork::default(),
            checkpoints: checkpoint::Checkpoints::default(),
            cleaning,
            alterations: replicas::Alterations::default(),
            life: start::Life::default(),
            disk_space: None,
            writes_refused: false,
            request_errors: BTreeMap::new(),
            buffer: BytesMut::new(),
        };
        shard.resolve_settings();
        let slots = shard.settings.fetch_session_slots;
        shard.fetch_sessions = FetchSessions::new(slots, Random::new(shard.random.next_u64()));
        shard.begin_start(&mut Step { now, effects });
        shard
    }

    /// Takes an input.
    pub fn handle(&mut self, now: Now, input: Input, effects: &mut Effects) {
        let step = &mut Step { now, effects };
        match input {
            Input::Connected { connection, host } => {
                let earlier = self.sessions.insert(connection, Session::new(host));
                assert!(earlier.is_none(), "a connection's number is given once");
            }
            Input::Frame { connection, frame } => self.take_frame(connection, frame, step),
            Input::Disconnected { connection } => self.disconnected(connection, step),
            Input::Disk { io, result } => self.disk_ended(io, result, step),
            Input::Computed { io, result } => self.computed(io, result, step),
            Input::Committed { proposal, commands } => self.committed(proposal, &commands, step),
            Input::ProposalFailed { proposal } => self.proposal_failed(proposal, step),
            Input::DiskSpace { free_bytes, total_bytes } => {
                self.take_disk_space(DiskSpace { free_bytes, total_bytes }, step);
            }
            Input::Timeout => self.take_timeouts(step),
            Input::Rest => {
                self.begin_syncs(step);
                self.go_on_writing(step);
                self.propose_alterations(step);
            }
            Input::Inspect => {
                let inspection = self.inspect();
                step.effects.push(Effect::Inspected(inspection));
            }
            Input::Shutdown => self.begin_shutdown(step),
        }
        self.process_events(step);
        if cfg!(debug_assertions) {
            self.check();
        }
    }

    /// The next timer, with its reason.
    pub fn poll_timeout(&self) -> Option<(Instant, Timer)> {
        self.timers.first()
    }

    /// Asserts the invariants of all machines, as each input does in a build with debug assertions. In a release each partition
    /// that is let go on is checked, which takes a few comparisons.
    pub fn check(&self) {
        self.image.check();
        for partition in self.partitions.iter().flatten() {
            partition.check();
            if let Some(log) = partition.log() {
                log.check_thoroughly();
            }
        }
        self.coordinators.check();
        self.journal.check();
        assert!(
            self.syncs.gathered.is_empty() || self.journal.is_busy(),
            "whoever waits for the journal's next round waits for one that is under way"
        );
        for (id, slot) in &self.slots {
            let partition = self.partitions[*slot as usize].as_ref();
            assert!(
                partition.is_some_and(|partition| partition.id() == *id),
                "a partition is found by its id"
            );
        }
    }

    fn disk_ended(&mut self, io: IoId, result: DiskResult, step: &mut Step<'_>) {
        match io.owner {
            Owner::Partition(slot) => {
                if self.snapshot_operation_ended(io, &result, step) {
                    return;
                }
                self.with_partition(slot, step, |partition, context| {
                    partition.operation_ended(io, result, context);
                });
                self.note_dirty(slot, step);
                self.settle(slot, step);
                self.go_on_replaying(slot, step);
            }
            Owner::Shard => self.own_operation_ended(io, result, step),
            Owner::Coordinator(index) => self.coordinator_read(index, io, result, step),
            Owner::Cleaner => self.cleaning_operation_ended(io, result, step),
            Owner::Metadata => {}
        }
    }

    fn computed(&mut self, io: IoId, result: JobResult, step: &mut Step<'_>) {
        if let Owner::Partition(slot) = io.owner {
            self.with_partition(slot, step, |partition, context| {
                partition.computed(io, result, context);
            });
            self.note_dirty(slot, step);
        } else {
            self.cleaning_computed(io, result, step);
        }
    }

    fn own_operation_ended(&mut self, io: IoId, result: DiskResult, step: &mut Step<'_>) {
        if self.sync_ended(io, &result, step)
            || self.checkpoint_operation_ended(io, &result, step)
            || self.journal_file_ended(io, &result, step)
        {
            return;
        }
        self.start_operation_ended(io, result, step);
    }

    /// The shard's own view of the disk.
    fn disk<'a>(&'a mut self, step: &'a mut Step<'_>) -> Disk<'a> {
        Disk::new(Owner::Shard, &mut self.next_io, step.effects)
    }

    /// Lets a partition go on, and gathers what it says.
    pub(crate) fn with_partition<R>(
        &mut self,
        slot: u32,
        step: &mut Step<'_>,
        act: impl FnOnce(&mut Partition, &mut Context<'_>) -> R,
    ) -> Option<R> {
        let partition = self.partitions.get_mut(slot as usize)?.as_mut()?;
        let appended_bytes =
            |partition: &Partition| partition.open_log().map_or(0, Log::appended_bytes);
        let before = appended_bytes(partition);
        let mut events = Vec::new();
        let disk = Disk::new(Owner::Partition(slot), &mut self.next_io, step.effects);
        let mut context = Context { now: step.now, disk, events: &mut events };
        let result = act(partition, &mut context);
        partition.check();
        let appended = appended_bytes(partition).saturating_sub(before);
        self.events.extend(events.into_iter().map(|event| (slot, event)));
        if appended > 0 {
            self.note_appended(appended, step);
        }
        Some(result)
    }

    /// A partition by its slot.
    pub(crate) fn partition(&self, slot: u32) -> Option<&Partition> {
        self.partitions.get(slot as usize)?.as_deref()
    }

    /// The partition's slot, if it is here.
    pub(crate) fn slot(&self, id: TopicPartition) -> Option<u32> {
        self.slots.get(&id).copied()
    }

    /// Tells machines what others have said, until nothing more is said.
    fn process_events(&mut self, step: &mut Step<'_>) {
        loop {
            while let Some((slot, event)) = self.events.pop_front() {
                self.take_event(slot, event, step);
            }
            let Some(connection) = self.unblocked.pop() else { return };
            self.begin_requests(connection, step);
        }
    }

    fn take_event(&mut self, slot: u32, event: Event, step: &mut Step<'_>) {
        match event {
            Event::Appended { target, result } => self.append_ended(target, result, step),
            Event::Moved => {
                self.load_further(slot, step);
                if !planted(Mutant::WaitingFetchNotWoken) {
                    self.wake_watchers(slot, step);
                }
            }
            Event::Located { asker, result } => self.located(asker, result, step),
            Event::Prepared { asker, result } => self.prepared(asker, result, step),
            Event::TimeFound { asker, result } => self.time_found(asker, result, step),
            Event::Alter(proposal) => self.gather_alteration(slot, proposal),
            Event::StartToRemember => self.renew_start_offsets(step),
            Event::PointToWrite => self.write_point(slot, step),
            Event::Opened(_) => self.partition_opened(slot, step),
            Event::Foreign(owner) => self.set_aside_foreign(slot, owner, step),
            Event::Failed(_) => self.partition_failed(slot, step),
        }
    }

    /// A new id.
    pub(crate) fn new_uuid(&mut self) -> Uuid {
        Uuid::from_random(self.random.next_u128())
    }
}
