//! What may happen next. Only what is possible is offered, in an order that is always the same.

use ottla_core::{
    metadata::BrokerStatus,
    replica::{ReplicaLog, Role},
    types::Offset,
};

use super::{
    Replication,
    messages::Fate,
    state::{Message, Node, State, id, number},
};

/// Something that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// A producer sends a record.
    Produce {
        /// The broker.
        to: u8,
        /// The record.
        record: u8,
    },
    /// A producer waits no longer.
    GiveUpProduce(u8),
    /// A follower fetches, and gets its answer, unless that is lost.
    Round {
        /// The follower.
        follower: u8,
        /// The leader has taken the fetch, but the follower gets no answer.
        answer_lost: bool,
    },
    /// A message arrives.
    Deliver(Message),
    /// A request to the controller is lost.
    Lose(Message),
    /// A follower gives its fetch up.
    GiveUpFetch(u8),
    /// What was written becomes durable.
    Sync(u8),
    /// What was written before this becomes durable.
    SyncTo(u8, Offset),
    /// A broker sees the next state of the metadata.
    Metadata(u8),
    /// A broker sees several states of the metadata at once.
    CatchUp(u8),
    /// A leader finds a follower lagging.
    Lag {
        /// The leader.
        leader: u8,
        /// The follower.
        follower: u8,
    },
    /// A leader asks the controller again.
    AskAgain(u8),
    /// A process is killed.
    Kill(u8),
    /// The power of a broker fails, and its log keeps what lies before this.
    PowerLoss(u8, Offset),
    /// A broker's disk is replaced by an empty one.
    LoseDisk(u8),
    /// A broker that is down starts.
    Start(u8),
    /// The controller has not heard of a broker for too long.
    Fence(u8),
    /// The controller hears of a broker.
    Unfence(u8),
    /// A leadership is moved to a replica that is in sync, by making it the preferred one.
    Move(u8),
    /// A broker wants to stop.
    ShutDown(u8),
    /// A broker that nobody needs stops in order.
    Stop(u8),
    /// All records that are safe are deleted from a leader's log.
    Delete(u8),
    /// `min.insync.replicas` is lowered by one.
    Lower,
    /// The partition is to move to the brokers that do not have it.
    Reassign,
    /// And is to move no more.
    Cancel,
    /// Nothing goes wrong from now on.
    Heal,
}

impl Replication {
    /// All that may happen.
    pub(super) fn possible(&self, state: &State, actions: &mut Vec<Action>) {
        for broker in self.brokers() {
            let node = state.node(broker);
            if node.is_up {
                self.produce(state, broker, node, actions);
                self.replicate(state, broker, node, actions);
                self.lead(state, broker, node, actions);
            } else {
                // Who waits for no answer does not learn that nobody takes what he sends.
                if self.settings.is_unacknowledged && state.partition().leader == Some(id(broker)) {
                    self.offer_records(state, broker, actions);
                }
                actions.push(Action::Start(broker));
            }
            self.control(state, broker, node, actions);
            if !state.is_healing {
                self.break_down(state, broker, node, actions);
            }
        }
        self.messages(state, actions);
        if !state.is_healing {
            self.administer(state, actions);
        }
    }

    fn produce(&self, state: &State, broker: u8, node: &Node, actions: &mut Vec<Action>) {
        if node.replica.judge_append(self.settings.acks).is_err() {
            return;
        }
        self.offer_records(state, broker, actions);
    }

    fn offer_records(&self, state: &State, broker: u8, actions: &mut Vec<Action>) {
        for record in 0..self.bounds.records() {
            let is_next = self.is_next(state, record);
            let may_send = state.left.produces > 0 || state.is_healing && state.sent.has(record);
            if is_next && may_send && !state.open.has(record) {
                actions.push(Action::Produce { to: broker, record });
            }
        }
    }

    /// A producer sends one record after the other. Of producers that have sent nothing, the first begins: they are alike.
    fn is_next(&self, state: &State, record: u8) -> bool {
        let (_, sequence) = self.bounds.producer_of(record);
        let is_begun = sequence == 0 || state.acked.has(record - 1);
        let others_begun = state.sent.has(record)
            || (0..record)
                .all(|other| state.sent.has(other) || self.bounds.producer_of(other).1 > 0);
        is_begun && others_begun && !state.acked.has(record)
    }

    fn replicate(&self, state: &State, broker: u8, node: &Node, actions: &mut Vec<Action>) {
        if node.behind > 0 {
            actions.push(Action::Metadata(broker));
        }
        if node.behind > 1 && self.bounds.grain.skips {
            actions.push(Action::CatchUp(broker));
        }
        if self.bounds.grain.async_sync && node.log.durable() < node.log.end_offset() {
            actions.push(Action::Sync(broker));
            if self.bounds.grain.partial_sync {
                let parts = node.log.durable().0 + 1..node.log.end_offset().0;
                actions.extend(parts.map(|to| Action::SyncTo(broker, Offset(to))));
            }
        }
        let Role::Follower(follower) = node.replica.role() else { return };
        if !self.bounds.grain.messages {
            if self.can_round(state, node, number(follower.leader())) {
                actions.push(Action::Round { follower: broker, answer_lost: false });
                if !state.is_healing {
                    actions.push(Action::Round { follower: broker, answer_lost: true });
                }
            }
        } else if follower.is_fetching() {
            let gives_up = match state.is_healing {
                true => !self.is_fetch_alive(state, broker),
                false => state.left.given_up_fetches > 0,
            };
            if gives_up {
                actions.push(Action::GiveUpFetch(broker));
            }
        }
    }

    fn lead(&self, state: &State, broker: u8, node: &Node, actions: &mut Vec<Action>) {
        let Some(leader) = node.replica.leader() else { return };
        if let Some(pending) = leader.pending() {
            let partition = state.partition();
            let is_open = pending.partition_epoch == partition.partition_epoch
                && pending.leader_epoch == partition.leader_epoch;
            if is_open && !state.net.contains(&Message::Alter(pending.clone())) {
                actions.push(Action::AskAgain(broker));
            }
        } else if state.left.lags > 0 && !state.is_healing {
            for &member in &node.replica.view().isr {
                let end = leader.progress(member).map(|progress| progress.end);
                let is_behind = end.is_none_or(|end| end < node.log.acknowledgeable());
                if member != id(broker) && is_behind {
                    actions.push(Action::Lag { leader: broker, follower: number(member) });
                }
            }
        }
        let can_delete = state.left.deletions > 0 && !state.is_healing;
        if can_delete && node.replica.high_watermark() > node.log.start_offset() {
            actions.push(Action::Delete(broker));
        }
        for &(record, _) in &node.waiting {
            if state.left.given_up_produces > 0 && !state.is_healing {
                actions.push(Action::GiveUpProduce(record));
            }
        }
    }

    /// What the controller does about a broker by itself.
    fn control(&self, state: &State, broker: u8, node: &Node, actions: &mut Vec<Action>) {
        let status = state.broker(broker).status;
        if !node.is_up && status != BrokerStatus::Fenced {
            actions.push(Action::Fence(broker));
        }
        if node.is_up && status == BrokerStatus::Fenced && node.behind == 0 {
            actions.push(Action::Unfence(broker));
        }
        let is_free = state.partition().leader != Some(id(broker));
        if node.is_up && status == BrokerStatus::ShuttingDown && is_free {
            actions.push(Action::Stop(broker));
        }
    }

    fn break_down(&self, state: &State, broker: u8, node: &Node, actions: &mut Vec<Action>) {
        let left = &state.left;
        if !node.is_up {
            return;
        }
        if left.kills > 0 {
            actions.push(Action::Kill(broker));
        }
        if left.power_losses > 0 {
            let (from, to) =
                (node.log.durable().max(node.log.start_offset()), node.log.end_offset());
            actions.extend((from.0..=to.0).map(|kept| Action::PowerLoss(broker, Offset(kept))));
        }
        if left.disk_losses > 0 {
            actions.push(Action::LoseDisk(broker));
        }
        let is_active = state.broker(broker).status == BrokerStatus::Active;
        if left.zombies > 0 && is_active && self.may_move(state) {
            actions.push(Action::Fence(broker));
        }
        if left.shutdowns > 0 && is_active && self.may_move(state) {
            actions.push(Action::ShutDown(broker));
        }
    }

    fn may_move(&self, state: &State) -> bool {
        state.partition().leader_epoch.0 < self.bounds.leader_epoch_max
    }

    fn messages(&self, state: &State, actions: &mut Vec<Action>) {
        for message in &*state.net {
            if self.fate(state, message) == Fate::Acts {
                actions.push(Action::Deliver(message.clone()));
            }
            let is_request = matches!(message, Message::Alter(_));
            if is_request && state.left.lost_requests > 0 && !state.is_healing {
                actions.push(Action::Lose(message.clone()));
            }
        }
    }

    fn administer(&self, state: &State, actions: &mut Vec<Action>) {
        let partition = state.partition();
        if state.left.moves > 0 && self.may_move(state) {
            let can_lead = |&&member: &&ottla_core::types::BrokerId| {
                let status = state.broker(number(member)).status;
                partition.leader != Some(member) && status == BrokerStatus::Active
            };
            let targets = partition.isr.iter().filter(can_lead);
            actions.extend(targets.map(|&member| Action::Move(number(member))));
        }
        if state.left.lowered > 0 {
            actions.push(Action::Lower);
        }
        let is_moving = !partition.adding.is_empty();
        if state.left.reassignments > 0 && !is_moving && self.may_move(state) {
            actions.push(Action::Reassign);
        }
        if state.left.cancellations > 0 && is_moving {
            actions.push(Action::Cancel);
        }
        if self.bounds.grain.heals {
            actions.push(Action::Heal);
        }
    }
}
