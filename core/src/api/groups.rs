//! The requests of groups' members, and the coordinators' dealings with their partitions.

use alloc::{string::String, vec::Vec};

use crate::{
    api::{Proposed, produce::OFFSETS_TOPIC},
    disk::{Disk, DiskOp, DiskResult, FileRange, IoId, Owner},
    group::{
        Coordinator, GroupContext, Outbox,
        coordinator::{partition_of, settings},
        join::{self, Joining},
        sync,
    },
    log::{LogPosition, prepare::Wanted},
    machine::Effect,
    notice::Notice,
    partition::{AppendResult, AppendTarget, Asker, ReadError},
    session::RequestId,
    shard::{Incoming, Shard, Step, Timer},
    types::ErrorCode,
    wire::messages::{
        find_coordinator::{Coordinator as Found, FindCoordinatorRequest, FindCoordinatorResponse},
        heartbeat::{HeartbeatRequest, HeartbeatResponse},
        join_group::JoinGroupRequest,
        leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberIdentity},
        sync_group::SyncGroupRequest,
    },
};

/// What a coordinator is looked for.
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;

/// How much of its partition a coordinator reads at once.
const LOAD_BYTES: u32 = 1 << 20;

impl Shard {
    pub(super) fn find_coordinator(
        &mut self,
        asked: &Incoming,
        request: FindCoordinatorRequest,
        step: &mut Step<'_>,
    ) {
        if request.key_type == GROUP
            && let Some(command) = self.missing_offsets_topic()
        {
            // The first to ask waits until the topic is made; so do those who ask meanwhile.
            self.coordinators.waiting.push((asked.id, asked.version, request));
            if self.coordinators.waiting.len() == 1 {
                self.propose([command].into(), Proposed::OffsetsTopic, step);
            }
            return;
        }
        self.answer_find_coordinator(asked.id, asked.version, request, step);
    }

    /// There is a topic for the groups' state, or there will be none.
    pub(crate) fn offsets_topic_created(&mut self, step: &mut Step<'_>) {
        for (id, version, request) in core::mem::take(&mut self.coordinators.waiting) {
            self.answer_find_coordinator(id, version, request, step);
        }
    }

    fn answer_find_coordinator(
        &mut self,
        id: RequestId,
        version: i16,
        request: FindCoordinatorRequest,
        step: &mut Step<'_>,
    ) {
        let kind = request.key_type;
        let response = if version >= 4 {
            let keys = request.coordinator_keys.into_iter();
            let coordinators = keys.map(|key| self.find_one(version, kind, key)).collect();
            FindCoordinatorResponse { coordinators, ..Default::default() }
        } else {
            let Found { node_id, host, port, error_code, error_message, .. } =
                self.find_one(version, kind, request.key);
            let error_message = if error_code == 0 { Some("NONE".into()) } else { error_message };
            FindCoordinatorResponse {
                error_code,
                error_message,
                node_id,
                host,
                port,
                ..Default::default()
            }
        };
        self.answer(id, response, step);
    }

    fn find_one(&self, version: i16, kind: i8, key: String) -> Found {
        let refused = |key, error: ErrorCode, message: &str| Found {
            key,
            node_id: -1,
            port: -1,
            error_code: error.code(),
            error_message: Some(message.into()),
            ..Default::default()
        };
        match kind {
            GROUP if self.image.topic_id(OFFSETS_TOPIC).is_none() => {
                let error = ErrorCode::CoordinatorNotAvailable;
                refused(key, error, error.message())
            }
            GROUP => match self.image.brokers().get(&self.broker_id) {
                Some(broker) => Found {
                    key,
                    node_id: self.broker_id.0,
                    host: broker.host.clone(),
                    port: i32::from(broker.port),
                    error_message: Some(String::new()),
                    ..Default::default()
                },
                None => {
                    let error = ErrorCode::CoordinatorNotAvailable;
                    refused(key, error, error.message())
                }
            },
            TRANSACTION => refused(
                key,
                ErrorCode::InvalidRequest,
                "Transactions are not supported yet: leave transactional.id unset.",
            ),
            // There are no share groups yet, so that no key of theirs is right; since version 4 Kafka has no words for that.
            SHARE if version >= 4 => refused(key, ErrorCode::InvalidRequest, ""),
            _ => refused(key, ErrorCode::InvalidRequest, ErrorCode::InvalidRequest.message()),
        }
    }

    /// The coordinator of a group, if it is here and serves.
    pub(crate) fn coordinator_of(&self, group: &str) -> Result<u32, ErrorCode> {
        let (_, topic) =
            self.image.topic_by_name(OFFSETS_TOPIC).ok_or(ErrorCode::NotCoordinator)?;
        let index = partition_of(group, topic.partitions.len()).ok_or(ErrorCode::NotCoordinator)?;
        let coordinator =
            self.coordinators.by_partition.get(&index).ok_or(ErrorCode::NotCoordinator)?;
        coordinator.check_serving()?;
        Ok(index)
    }

    /// The coordinator of a group that is to be told something. A group needs a name.
    fn coordinator_for(&self, group: &str) -> Result<u32, ErrorCode> {
        if group.is_empty() { Err(ErrorCode::InvalidGroupId) } else { self.coordinator_of(group) }
    }

    /// Lets a coordinator's groups go on, and does what they say.
    pub(crate) fn with_coordinator<R>(
        &mut self,
        index: u32,
        step: &mut Step<'_>,
        act: impl FnOnce(&mut Coordinator, &mut GroupContext<'_>) -> R,
    ) -> Option<R> {
        let coordinator = self.coordinators.by_partition.get_mut(&index)?;
        let mut out = Outbox::default();
        let mut context = GroupContext {
            now: step.now,
            settings: settings(&self.settings),
            random: &mut self.coordinators.random,
            out: &mut out,
        };
        let result = act(coordinator, &mut context);
        self.do_as_groups_say(index, out, step);
        Some(result)
    }

    fn do_as_groups_say(&mut self, index: u32, out: Outbox, step: &mut Step<'_>) {
        let Outbox { answers, writes, notices } = out;
        for notice in notices {
            step.effects.push(Effect::Notice(notice));
        }
        for write in writes {
            let Some(coordinator) = self.coordinators.by_partition.get_mut(&index) else { return };
            let (token, batch) = coordinator.begin_write(write, step.now.timestamp);
            let slot = coordinator.slot();
            let target = AppendTarget::Coordinator { coordinator: index, token };
            let began = self.with_partition(slot, step, |partition, context| {
                partition.append_own(&batch, target, context)
            });
            let began = began.unwrap_or_else(|| Err(ErrorCode::NotLeaderOrFollower.into()));
            if let Err(error) = began {
                self.coordinator_written(index, token, Err(error), step);
            }
        }
        for (request, response) in answers {
            self.answer(request, response, step);
        }
        self.set_groups_timer(index);
    }

    fn set_groups_timer(&mut self, index: u32) {
        let deadline =
            self.coordinators.by_partition.get(&index).and_then(Coordinator::next_deadline);
        match deadline {
            Some(deadline) => self.set_timer(Timer::Groups(index), deadline),
            None => self.clear_timer(Timer::Groups(index)),
        }
    }

    /// What a coordinator wanted written down is durable, or was refused.
    pub(crate) fn coordinator_written(
        &mut self,
        index: u32,
        token: u64,
        result: AppendResult,
        step: &mut Step<'_>,
    ) {
        let result = result.map(|_| ()).map_err(|error| error.code);
        let deleted = self.with_coordinator(index, step, |coordinator, context| {
            coordinator.write_ended(token, result, context)
        });
        if let Some(Some(deleted)) = deleted {
            self.group_deleted(deleted, step);
        }
    }

    /// Something is due in a coordinator's groups.
    pub(crate) fn groups_are_due(&mut self, index: u32, step: &mut Step<'_>) {
        self.with_coordinator(index, step, Coordinator::take_timeouts);
    }

    /// Expired offsets are looked for.
    pub(crate) fn expire_offsets(&mut self, step: &mut Step<'_>) {
        let interval = self.settings.offsets_retention_check_interval_ms;
        let interval = core::time::Duration::from_millis(interval);
        self.set_timer(Timer::Offsets, step.now.instant + interval);
        let indexes: Vec<u32> = self.coordinators.by_partition.keys().copied().collect();
        for index in indexes {
            let told = self.with_coordinator(index, step, Coordinator::expire_offsets);
            for (group, count) in told.unwrap_or_default() {
                step.effects.push(Effect::Notice(Notice::OffsetsExpired { group, count }));
            }
        }
    }

    /// A topic is gone, and so is what was committed for it.
    pub(crate) fn topic_deleted(&mut self, name: &str, step: &mut Step<'_>) {
        if name == OFFSETS_TOPIC {
            self.coordinators.by_partition.clear();
            self.coordinators.awaiting_end.clear();
            return;
        }
        let indexes: Vec<u32> = self.coordinators.by_partition.keys().copied().collect();
        for index in indexes {
            self.with_coordinator(index, step, |coordinator, context| {
                coordinator.forget_topic(name, context);
            });
        }
    }

    /// A partition was made; if it keeps groups, it gets a coordinator.
    pub(crate) fn partition_made(&mut self, slot: u32, step: &mut Step<'_>) {
        let Some(partition) = self.partition(slot) else { return };
        if partition.topic_name() != OFFSETS_TOPIC {
            return;
        }
        let Ok(index) = u32::try_from(partition.id().partition.0) else { return };
        self.coordinators.by_partition.insert(index, Coordinator::new(slot));
        self.go_on_loading(index, step);
    }

    /// All partitions are open: the coordinators read theirs.
    pub(crate) fn load_coordinators(&mut self, step: &mut Step<'_>) {
        for slot in 0..self.partitions.len() {
            let slot = u32::try_from(slot).expect("slots are counted in 32 bits");
            self.partition_made(slot, step);
        }
    }

    fn go_on_loading(&mut self, index: u32, step: &mut Step<'_>) {
        let Some(coordinator) = self.coordinators.by_partition.get_mut(&index) else { return };
        let Some(from) = coordinator.loading_from() else { return };
        let slot = coordinator.slot();
        let partition = self.partitions.get(slot as usize).and_then(Option::as_deref);
        let Some((partition, log)) = partition.and_then(|known| Some((known, known.log()?))) else {
            coordinator.fail();
            return;
        };
        let start_offset = log.start_offset();
        coordinator.skip_to(start_offset);
        let limit = partition.high_watermark().offset;
        if from.max(start_offset) >= limit {
            if limit < log.end_offset() && partition.open_log().is_some() {
                // What a start found in the journal was acknowledged, and is being written.
                self.coordinators.awaiting_end.insert(index);
                return;
            }
            let (groups, offsets) = coordinator.begin_serving(step.now);
            if groups > 0 {
                let partition = i32::try_from(index).unwrap_or(i32::MAX);
                let notice = Notice::GroupsLoaded { partition, groups, offsets };
                step.effects.push(Effect::Notice(notice));
            }
            self.set_groups_timer(index);
            return;
        }
        self.with_partition(slot, step, |partition, context| {
            partition.locate(Asker::Coordinator(index), from.max(start_offset), context);
        });
    }

    /// More of a partition can be read, or nothing any more: a coordinator may have waited for that.
    pub(crate) fn load_further(&mut self, slot: u32, step: &mut Step<'_>) {
        let coordinators = &self.coordinators;
        let is_of =
            |index: &u32| coordinators.by_partition.get(index).is_none_or(|it| it.slot() == slot);
        let waited: Vec<u32> = coordinators.awaiting_end.iter().copied().filter(is_of).collect();
        for index in waited {
            self.coordinators.awaiting_end.remove(&index);
            self.go_on_loading(index, step);
        }
    }

    pub(super) fn coordinator_located(
        &mut self,
        index: u32,
        result: Result<LogPosition, ReadError>,
        step: &mut Step<'_>,
    ) {
        let Some(coordinator) = self.coordinators.by_partition.get_mut(&index) else { return };
        let slot = coordinator.slot();
        match result {
            Ok(from) => {
                self.with_partition(slot, step, |partition, context| {
                    let limit = partition.high_watermark();
                    let wanted = Wanted { from, limit, bytes_max: LOAD_BYTES, at_least_one: true };
                    partition.prepare(Asker::Coordinator(index), wanted, context);
                });
            }
            Err(ReadError::Moved) => self.go_on_loading(index, step),
            Err(ReadError::Damaged | ReadError::Storage) => coordinator.fail(),
        }
    }

    pub(super) fn coordinator_prepared(
        &mut self,
        index: u32,
        result: Result<FileRange, ReadError>,
        step: &mut Step<'_>,
    ) {
        let Some(coordinator) = self.coordinators.by_partition.get_mut(&index) else { return };
        match result {
            Ok(range) => {
                let length = u32::try_from(range.length).unwrap_or(u32::MAX);
                let FileRange { file, position, .. } = range;
                let owner = Owner::Coordinator(index);
                let mut disk = Disk::new(owner, &mut self.next_io, step.effects);
                disk.submit(DiskOp::Read { file, position, length });
            }
            Err(ReadError::Moved) => self.go_on_loading(index, step),
            Err(ReadError::Damaged | ReadError::Storage) => coordinator.fail(),
        }
    }

    pub(crate) fn coordinator_read(
        &mut self,
        index: u32,
        _io: IoId,
        result: DiskResult,
        step: &mut Step<'_>,
    ) {
        let Some(coordinator) = self.coordinators.by_partition.get_mut(&index) else { return };
        let taken = result.into_bytes().ok().and_then(|bytes| coordinator.load(&bytes, step.now));
        if taken.is_none_or(|taken| taken == 0) {
            coordinator.fail();
            return;
        }
        self.go_on_loading(index, step);
    }

    /// Nobody waits for this request any more. A member that has asked stays until its session ends, as in Kafka.
    pub(crate) fn forget_in_groups(&mut self, id: RequestId, _step: &mut Step<'_>) {
        self.coordinators.waiting.retain(|(waiting, _, _)| *waiting != id);
        self.coordinators.deletions.remove(&id);
    }

    pub(super) fn join_group(
        &mut self,
        asked: &Incoming,
        request: JoinGroupRequest,
        step: &mut Step<'_>,
    ) {
        let id = asked.id;
        let timeout_ms = request.session_timeout_ms;
        let allowed =
            self.settings.group_min_session_timeout_ms..=self.settings.group_max_session_timeout_ms;
        let found = self.coordinator_for(&request.group_id).and_then(|index| {
            if allowed.contains(&timeout_ms) {
                Ok(index)
            } else {
                Err(ErrorCode::InvalidSessionTimeout)
            }
        });
        let index = match found {
            Ok(index) => index,
            Err(error) => {
                self.answer(id, join::refuse(request.member_id, error), step);
                return;
            }
        };
        let joining = Joining {
            request: id,
            version: asked.version,
            client_id: asked.client_id.clone().unwrap_or_default(),
            client_host: alloc::format!("/{}", self.host_of(id)),
            body: request,
        };
        self.with_coordinator(index, step, |coordinator, context| {
            coordinator.join_group(joining, context);
        });
    }

    pub(super) fn sync_group(
        &mut self,
        asked: &Incoming,
        request: SyncGroupRequest,
        step: &mut Step<'_>,
    ) {
        let id = asked.id;
        // Since version 5 a member must say which protocol it means (KIP-559).
        let is_named = request.protocol_type.is_some() && request.protocol_name.is_some();
        let found = if asked.version >= 5 && !is_named {
            Err(ErrorCode::InconsistentGroupProtocol)
        } else {
            self.coordinator_for(&request.group_id)
        };
        let index = match found {
            Ok(index) => index,
            Err(error) => {
                // A coordinator that is loading has forgotten the rebalance: the member is to join again.
                let is_loading = error == ErrorCode::CoordinatorLoadInProgress;
                let error = if is_loading { ErrorCode::RebalanceInProgress } else { error };
                self.answer(id, sync::refuse(error), step);
                return;
            }
        };
        self.with_coordinator(index, step, |coordinator, context| {
            coordinator.sync_group(id, request, context);
        });
    }

    pub(super) fn heartbeat(
        &mut self,
        asked: &Incoming,
        request: HeartbeatRequest,
        step: &mut Step<'_>,
    ) {
        let error = match self.coordinator_for(&request.group_id) {
            // Nothing is known yet that the heartbeat could be at odds with.
            Err(ErrorCode::CoordinatorLoadInProgress) => ErrorCode::None,
            Err(error) => error,
            Ok(index) => {
                let beaten = self.with_coordinator(index, step, |coordinator, context| {
                    coordinator.heartbeat(&request, context)
                });
                beaten.unwrap_or(ErrorCode::UnknownMemberId)
            }
        };
        let error_code = error.code();
        self.answer(asked.id, HeartbeatResponse { error_code, ..Default::default() }, step);
    }

    pub(super) fn leave_group(
        &mut self,
        asked: &Incoming,
        request: LeaveGroupRequest,
        step: &mut Step<'_>,
    ) {
        let members = if asked.version < 3 {
            let member_id = request.member_id;
            Vec::from([MemberIdentity { member_id, ..Default::default() }])
        } else {
            request.members
        };
        let result = self.coordinator_for(&request.group_id).map(|index| {
            let left = self.with_coordinator(index, step, |coordinator, context| {
                coordinator.leave_group(&request.group_id, members, context)
            });
            left.unwrap_or_default()
        });
        let response = match result {
            Err(error) => LeaveGroupResponse { error_code: error.code(), ..Default::default() },
            Ok(members) if asked.version < 3 => {
                let error_code = members.first().map_or(0, |member| member.error_code);
                LeaveGroupResponse { error_code, ..Default::default() }
            }
            Ok(members) => LeaveGroupResponse { members, ..Default::default() },
        };
        self.answer(asked.id, response, step);
    }
}
