//! What an action does.

use std::sync::Arc;

use ottla_core::{
    log::producers::SequenceCheck,
    metadata::{
        Command, Image, Outcome, PartitionState, ResourceKind,
        command::{
            ChangeConfigs, ConfigChange, ElectLeader, FenceBroker, ReassignPartition,
            ShutDownBroker, UnfenceBroker,
        },
    },
    records::batch::BatchProducer,
    replica::{
        Acks, FetchAnswer, FetchId, Proposal, Replica, ReplicaFetch, ReplicaLog, Taken, Turn, View,
        Want,
    },
    types::{ErrorCode, Offset, ProducerEpoch, ProducerId, Sequence},
};

use super::{
    Replication,
    action::Action,
    change,
    messages::{Fate, expected},
    state::{Log, Message, Node, PARTITION, Record, Seen, State, id, number},
};

/// How many records a leader sends at once.
const FETCH_MAX: usize = 1;

impl Replication {
    /// Does what an action says.
    pub(super) fn take(&self, state: &mut State, action: Action) {
        match action {
            Action::Produce { to, record } => self.produce_record(state, to, record),
            Action::GiveUpProduce(record) => {
                state.left.given_up_produces -= 1;
                self.forget_waiting(state, record);
            }
            Action::Round { follower, answer_lost } => self.round(state, follower, answer_lost),
            Action::Deliver(message) => self.deliver(state, message),
            Action::Lose(message) => {
                state.left.lost_requests -= 1;
                change(&mut state.net).remove(&message);
            }
            Action::GiveUpFetch(broker) => {
                let left = &mut state.left.given_up_fetches;
                *left -= u8::from(!state.is_healing);
                self.act(state, broker, |node, _| node.replica.fetch_given_up());
            }
            Action::Sync(broker) => self.sync(state, broker, None),
            Action::SyncTo(broker, to) => self.sync(state, broker, Some(to)),
            Action::Metadata(broker) => self.see_metadata(state, broker),
            Action::CatchUp(broker) => {
                change(&mut state.nodes[usize::from(broker)]).behind = 1;
                self.see_metadata(state, broker);
            }
            Action::Lag { leader, follower } => {
                state.left.lags -= 1;
                self.act(state, leader, |node, wants| {
                    node.replica.lags(id(follower), &node.log, wants);
                });
            }
            Action::AskAgain(broker) => {
                self.act(state, broker, |node, wants| node.replica.ask_again(wants));
            }
            Action::Heal => state.is_healing = true,
            Action::Kill(broker) => {
                state.left.kills -= 1;
                let end = state.node(broker).log.end_offset();
                self.crash(state, broker, end);
            }
            Action::PowerLoss(broker, kept) => {
                state.left.power_losses -= 1;
                self.crash(state, broker, kept);
            }
            Action::LoseDisk(broker) => self.lose_disk(state, broker),
            Action::Stop(broker) => self.stop(state, broker),
            Action::Start(broker) => self.start(state, broker),
            Action::Fence(broker) => self.fence(state, broker),
            Action::Unfence(broker) => {
                let (broker_id, broker_epoch) = identity(state, broker);
                self.command(state, &[UnfenceBroker { broker_id, broker_epoch }.into()]);
            }
            Action::ShutDown(broker) => {
                state.left.shutdowns -= 1;
                let (broker_id, broker_epoch) = identity(state, broker);
                self.command(state, &[ShutDownBroker { broker_id, broker_epoch }.into()]);
            }
            Action::Move(broker) => self.move_leadership(state, broker),
            Action::Delete(broker) => {
                state.left.deletions -= 1;
                self.act(state, broker, |node, _| {
                    node.log.raise_start(node.replica.high_watermark());
                });
            }
            Action::Lower => self.lower(state),
            Action::Reassign => self.reassign(state),
            Action::Cancel => self.cancel(state),
        }
        self.settle(state);
    }

    fn lose_disk(&self, state: &mut State, broker: u8) {
        state.left.disk_losses -= 1;
        self.crash(state, broker, Offset::ZERO);
        let node = change(&mut state.nodes[usize::from(broker)]);
        node.disk += 1;
        node.log = Log::new(self.settings.is_durable);
        let (epoch, log) = (node.replica.broker_epoch(), &node.log);
        node.replica = Replica::recover(id(broker), epoch, Offset::ZERO, log);
    }

    fn stop(&self, state: &mut State, broker: u8) {
        let node = change(&mut state.nodes[usize::from(broker)]);
        node.log.sync();
        let end = node.log.end_offset();
        self.crash(state, broker, end);
        change(&mut state.nodes[usize::from(broker)]).is_clean = true;
    }

    fn fence(&self, state: &mut State, broker: u8) {
        let is_zombie = state.node(broker).is_up;
        state.left.zombies -= u8::from(is_zombie);
        let (broker_id, broker_epoch) = identity(state, broker);
        self.command(state, &[FenceBroker { broker_id, broker_epoch }.into()]);
    }

    fn move_leadership(&self, state: &mut State, broker: u8) {
        state.left.moves -= 1;
        let (topic_id, partition) = (PARTITION.topic.0, PARTITION.partition.0);
        let mut replicas = state.partition().replicas.clone();
        replicas.sort_by_key(|&replica| (replica != id(broker), replica));
        let replicas = Some(replicas.iter().map(|replica| replica.0).collect());
        let reorder = ReassignPartition { topic_id, partition, replicas };
        let elect = ElectLeader { topic_id, partition, election: 0 };
        self.command(state, &[reorder.into(), elect.into()]);
    }

    fn lower(&self, state: &mut State) {
        state.left.lowered -= 1;
        let lowered = (self.settings.min_insync - 1).to_string();
        let change = ConfigChange { key: "min.insync.replicas".into(), value: Some(lowered) };
        let change = ChangeConfigs {
            resource_kind: ResourceKind::Topic.code(),
            resource_name: "t".into(),
            changes: vec![change],
        };
        self.command(state, &[change.into()]);
    }

    fn reassign(&self, state: &mut State) {
        state.left.reassignments -= 1;
        let (topic_id, partition) = (PARTITION.topic.0, PARTITION.partition.0);
        let replicas = &state.partition().replicas;
        let others = self.brokers().filter(|&broker| !replicas.contains(&id(broker)));
        let replicas = Some(others.map(i32::from).collect());
        self.command(state, &[ReassignPartition { topic_id, partition, replicas }.into()]);
    }

    fn cancel(&self, state: &mut State) {
        state.left.cancellations -= 1;
        let (topic_id, partition) = (PARTITION.topic.0, PARTITION.partition.0);
        let had_leader = state.partition().leader.is_some();
        let cancel = ReassignPartition { topic_id, partition, replicas: None };
        self.command(state, &[cancel.into()]);
        if had_leader && state.partition().leader.is_none() {
            state.seen.note(Seen::LEADERLESS);
        }
    }

    /// Lets a broker do something, and takes what comes of it.
    fn act<R>(
        &self,
        state: &mut State,
        broker: u8,
        act: impl FnOnce(&mut Node, &mut Vec<Want>) -> R,
    ) -> R {
        let mut wants = Vec::new();
        let node = change(&mut state.nodes[usize::from(broker)]);
        let pending = node.replica.leader().and_then(|leader| leader.pending().cloned());
        let result = act(node, &mut wants);
        for Want::Alter(proposal) in wants {
            // What is asked for again was judged when it was asked for first: since then others may have come further.
            let is_new = pending.as_ref() != Some(&proposal);
            if is_new && joins_behind(state.node(broker), &proposal) {
                state.seen.note(Seen::JOINED_BEHIND);
            }
            change(&mut state.net).insert(Message::Alter(proposal));
        }
        self.observe(state, broker);
        result
    }

    /// Answers producers, and notes what is shown.
    fn observe(&self, state: &mut State, broker: u8) {
        let node = Arc::clone(&state.nodes[usize::from(broker)]);
        if !node.is_up || node.replica.leader().is_none() {
            return;
        }
        let safe = node.replica.acknowledged(self.settings.acks, &node.log);
        if node.waiting.iter().any(|&(_, end)| end <= safe) {
            let waiting = &mut change(&mut state.nodes[usize::from(broker)]).waiting;
            waiting.retain(|&(record, end)| {
                if end <= safe {
                    state.acked.add(record);
                    state.open.remove(record);
                }
                end > safe
            });
            if node.replica.leader_epoch().0 > 0 {
                state.seen.note(Seen::ACKED_LATER);
            }
        }
        let shows = node.replica.high_watermark();
        for record in node.log.batches().iter().filter(|record| record.next_offset() <= shows) {
            let place = usize::try_from(record.base_offset.0).expect("offsets are not negative");
            match state.shown.get(place) {
                Some(shown) if shown == record => {}
                None if place == state.shown.len() => change(&mut state.shown).push(record.clone()),
                Some(_) | None => state.seen.note(Seen::CONFLICT),
            }
        }
    }

    fn produce_record(&self, state: &mut State, to: u8, record: u8) {
        state.left.produces = state.left.produces.saturating_sub(1);
        state.sent.add(record);
        if self.settings.is_unacknowledged {
            state.acked.add(record);
            if !state.node(to).is_up {
                return;
            }
        }
        state.open.add(record);
        let (producer, sequence) = self.bounds.producer_of(record);
        let producer = BatchProducer {
            id: ProducerId(i64::from(producer)),
            epoch: ProducerEpoch(0),
            base_sequence: Sequence(i32::from(sequence)),
        };
        // With less than acks=all, producers are not idempotent.
        let producer = (self.settings.acks == Acks::All).then_some(producer);
        let check = producer.map(|producer| state.node(to).log.producers().check(producer, 1));
        let end = match check.unwrap_or(SequenceCheck::InSequence) {
            SequenceCheck::InSequence => None,
            SequenceCheck::Duplicate(known) => {
                state.seen.note(Seen::DUPLICATE);
                Some(known.last_offset + 1)
            }
            SequenceCheck::OutOfOrder { .. } | SequenceCheck::StaleEpoch { .. } => {
                state.open.remove(record);
                return;
            }
        };
        self.act(state, to, |node, _| {
            let end = end.unwrap_or_else(|| {
                node.log.append(node.replica.leader_epoch(), producer, 1, record);
                node.replica.log_moved(&node.log);
                node.log.end_offset()
            });
            node.waiting.push((record, end));
        });
    }

    fn forget_waiting(&self, state: &mut State, record: u8) {
        state.open.remove(record);
        for node in &mut state.nodes {
            if node.waiting.iter().any(|&(waiting, _)| waiting == record) {
                change(node).waiting.retain(|&(waiting, _)| waiting != record);
            }
        }
    }

    fn sync(&self, state: &mut State, broker: u8, to: Option<Offset>) {
        self.act(state, broker, |node, _| {
            node.log.sync_to(to.unwrap_or_else(|| node.log.end_offset()));
            node.replica.log_moved(&node.log);
        });
    }

    /// A broker sees the next state of the metadata.
    pub(super) fn see_metadata(&self, state: &mut State, broker: u8) {
        let place = state.views.len() - usize::from(state.node(broker).behind);
        let view = View::clone(&state.views[place]);
        let turn = self.act(state, broker, |node, wants| {
            node.behind -= 1;
            node.replica.metadata_changed(view, &mut node.log, wants)
        });
        if turn != Turn::Same {
            self.refuse_waiting(state, broker);
        }
    }

    fn refuse_waiting(&self, state: &mut State, broker: u8) {
        if state.node(broker).waiting.is_empty() {
            return;
        }
        let waiting = std::mem::take(&mut change(&mut state.nodes[usize::from(broker)]).waiting);
        for (record, _) in waiting {
            state.open.remove(record);
        }
    }

    /// A process ends; what it finds when it begins again is what it had before `kept`.
    fn crash(&self, state: &mut State, broker: u8, kept: Offset) {
        self.refuse_waiting(state, broker);
        let node = change(&mut state.nodes[usize::from(broker)]);
        if kept < node.log.end_offset() {
            state.seen.note(Seen::LOSSY_CRASH);
        }
        node.is_up = false;
        node.is_clean = false;
        node.behind = 0;
        node.log = node.log.recovered(kept);
        let (epoch, checkpoint) = (node.replica.broker_epoch(), node.replica.high_watermark());
        node.replica = Replica::recover(id(broker), epoch, checkpoint, &node.log);
    }

    fn start(&self, state: &mut State, broker: u8) {
        let registration = self.registration(broker, Some(state.node(broker)));
        let outcomes = self.command(state, &[registration.into()]);
        let [Outcome::BrokerEpoch(epoch)] = outcomes[..] else {
            panic!("a broker can register: {outcomes:?}")
        };
        let node = change(&mut state.nodes[usize::from(broker)]);
        node.is_up = true;
        node.is_clean = false;
        let checkpoint = node.replica.high_watermark();
        node.replica = Replica::recover(id(broker), epoch, checkpoint, &node.log);
        node.behind = 1;
        self.see_metadata(state, broker);
    }

    /// The metadata log gets an entry.
    pub(super) fn command(&self, state: &mut State, commands: &[Command]) -> Vec<Outcome> {
        let before = state.partition().clone();
        let image = change(&mut state.image);
        let outcomes: Vec<_> = commands.iter().map(|command| image.apply(command)).collect();
        note_change(&before, state.image.as_ref(), &mut state.seen);
        let view = View::of(&state.image, PARTITION).expect("the topic is not deleted");
        if state.views.last().is_none_or(|last| **last != view) {
            change(&mut state.views).push(Arc::new(view));
            for node in state.nodes.iter_mut().filter(|node| node.is_up) {
                change(node).behind += 1;
            }
        }
        outcomes
    }

    fn deliver(&self, state: &mut State, message: Message) {
        match message {
            Message::Fetch { to, id, fetch } => {
                let expects = expected(state.node(number(fetch.replica))) == Some(id);
                let answer = self.serve(state, to, &fetch);
                let keeps = answer.is_none() && expects;
                let net = change(&mut state.net);
                if !keeps {
                    net.remove(&Message::Fetch { to, id, fetch });
                }
                if let Some(answer) = answer {
                    net.insert(Message::Answer { from: to, to: number(fetch.replica), id, answer });
                }
            }
            Message::Answer { from, to, id, answer } => {
                let message = Message::Answer { from, to, id, answer: answer.clone() };
                change(&mut state.net).remove(&message);
                self.take_answer(state, to, id, answer);
            }
            Message::Alter(proposal) => {
                let message = Message::Alter(proposal);
                change(&mut state.net).remove(&message);
                let Message::Alter(proposal) = message else { unreachable!("it is one") };
                self.judge(state, &proposal);
            }
        }
    }

    /// A leader takes a fetch; the answer, if it is worth one.
    fn serve(
        &self,
        state: &mut State,
        leader: u8,
        fetch: &ReplicaFetch,
    ) -> Option<FetchAnswer<Vec<Record>>> {
        self.act(state, leader, |node, wants| {
            let served = node.replica.fetched(fetch, &node.log, wants);
            Replica::is_worth_answering(fetch, &served).then(|| {
                let records = served.records_from.map(|from| node.log.read(from, FETCH_MAX));
                served.answer.with(records.unwrap_or_default())
            })
        })
    }

    fn take_answer(
        &self,
        state: &mut State,
        follower: u8,
        id: FetchId,
        answer: FetchAnswer<Vec<Record>>,
    ) {
        let resets = answer.error == ErrorCode::OffsetOutOfRange;
        let taken = self.act(state, follower, |node, _| {
            let taken = node.replica.answered(id, answer, &mut node.log);
            node.replica.log_moved(&node.log);
            taken
        });
        match taken {
            Taken::Ignored | Taken::Nothing | Taken::Appended | Taken::Refused(_) => {}
            Taken::Corrupt => state.seen.note(Seen::CORRUPT),
            Taken::Truncating { loses, .. } => {
                state.seen.note(if resets { Seen::RESET } else { Seen::TRUNCATED });
                if loses {
                    state.seen.note(Seen::LOST_SAFE);
                }
            }
        }
    }

    /// The controller judges a change, and tells the leader if it is refused.
    fn judge(&self, state: &mut State, proposal: &Proposal) {
        let outcomes = self.command(state, &[proposal.to_command(PARTITION).into()]);
        let [Outcome::Refused(refusal)] = &outcomes[..] else { return };
        state.seen.note(Seen::REFUSED);
        let leader = number(proposal.leader);
        let node = state.node(leader);
        if node.is_up && node.replica.broker_epoch() == proposal.broker_epoch {
            let code = refusal.code;
            self.act(state, leader, |node, _| {
                node.replica.alter_refused(proposal, code, &node.log);
            });
        }
    }

    /// A fetch and its answer, as one step.
    fn round(&self, state: &mut State, follower: u8, answer_lost: bool) {
        let sent = self.act(state, follower, |node, _| node.replica.next_fetch(&node.log));
        let (id, fetch) = sent.expect("the follower may fetch");
        let leader = state.node(follower).replica.follower().map(|known| number(known.leader()));
        let answer = self.serve(state, leader.expect("it follows"), &fetch);
        if let Some(answer) = answer.filter(|_| !answer_lost) {
            self.take_answer(state, follower, id, answer);
        }
        // It stands for all fetches that are given up, too: there is nothing of them left under way.
        let node = change(&mut state.nodes[usize::from(follower)]);
        node.replica.forget_fetch();
    }

    /// What happens by itself, and at once, at this grain; and what cannot matter any more is forgotten.
    pub(super) fn settle(&self, state: &mut State) {
        let grain = self.bounds.grain;
        for broker in self.brokers() {
            while !grain.async_metadata && state.node(broker).is_up && state.node(broker).behind > 0
            {
                self.see_metadata(state, broker);
            }
        }
        for broker in self.brokers() {
            let node = state.node(broker);
            let is_dirty = node.is_up && node.log.durable() < node.log.end_offset();
            if is_dirty && self.settings.is_durable && !grain.async_sync {
                self.sync(state, broker, None);
            }
        }
        if grain.messages {
            self.fetch_all(state);
        }
        if !grain.remembers {
            (state.seen, state.shown) = (Seen::default(), Arc::default());
        }
        let behind = state.nodes.iter().map(|node| usize::from(node.behind)).max();
        let unneeded = state.views.len() - behind.unwrap_or_default().max(1);
        if unneeded > 0 {
            change(&mut state.views).drain(..unneeded);
        }
        if state.net.iter().any(|message| self.fate(state, message) == Fate::Dead) {
            let alive = |message: &&Message| self.fate(state, message) != Fate::Dead;
            state.net = Arc::new(state.net.iter().filter(alive).cloned().collect());
        }
    }

    /// Followers fetch as soon as they may.
    fn fetch_all(&self, state: &mut State) {
        for broker in self.brokers() {
            let node = state.node(broker);
            let may_fetch = node.replica.follower().is_some_and(|known| !known.is_fetching());
            if !node.is_up || !may_fetch {
                continue;
            }
            let leader = node.replica.follower().map(|known| number(known.leader()));
            let sent = self.act(state, broker, |node, _| node.replica.next_fetch(&node.log));
            if let (Some((id, fetch)), Some(to)) = (sent, leader) {
                change(&mut state.net).insert(Message::Fetch { to, id, fetch });
            }
        }
    }
}

/// Notes what is worth it in a change of the partition.
fn note_change(before: &PartitionState, image: &Image, seen: &mut Seen) {
    let after = image.partition(PARTITION.topic, PARTITION.partition);
    let after = after.expect("the topic is not deleted");
    let leader = after.leader.filter(|_| before.leader != after.leader);
    if leader.is_some_and(|leader| before.elr.contains(&leader)) {
        seen.note(Seen::ELECTED_ELIGIBLE);
    }
    if after.is_recovering && !before.is_recovering {
        seen.note(Seen::ELECTED_UNCLEANLY);
    }
    if after.isr.iter().any(|member| !before.isr.contains(member)) {
        seen.note(Seen::REJOINED);
    }
    if !before.adding.is_empty() && after.replicas.len() < before.replicas.len() {
        seen.note(Seen::REASSIGNED);
    }
}

/// A broker as commands name it.
fn identity(state: &State, broker: u8) -> (i32, i64) {
    (i32::from(broker), state.broker(broker).epoch.0)
}

/// Whether a change lets a replica in that lacks what all that are in sync have.
fn joins_behind(node: &Node, proposal: &Proposal) -> bool {
    let Some(leader) = node.replica.leader() else { return false };
    let end = |member| {
        if member == node.replica.broker() {
            node.log.acknowledgeable()
        } else {
            leader.progress(member).map_or(node.log.start_offset(), |progress| progress.end)
        }
    };
    let in_sync = &node.replica.view().isr;
    let least = in_sync.iter().map(|&member| end(member)).min();
    let mut joining = proposal.isr.iter().map(|&(member, _)| member);
    joining.any(|member| !in_sync.contains(&member) && Some(end(member)) < least)
}
