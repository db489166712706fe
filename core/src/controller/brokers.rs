//! Brokers register, are let in and fenced, and stop.

use super::election::Change;
use crate::{
    metadata::{
        Broker, BrokerStatus, Image, Outcome, Refusal,
        command::{FenceBroker, RegisterBroker, ShutDownBroker, UnfenceBroker},
    },
    mutants::{Mutant, planted},
    types::{BrokerEpoch, BrokerId, ErrorCode},
};

impl Image {
    /// A broker begins a new incarnation. What the one before was in sync with it is not, until it has caught up; what it may
    /// have lost, it may not lead.
    pub(crate) fn register_broker(&mut self, command: &RegisterBroker) -> Result<Outcome, Refusal> {
        let id = BrokerId(command.broker_id);
        let port = u16::try_from(command.port).map_err(|_| ErrorCode::InvalidRequest)?;
        let before = self.brokers.get(&id);
        let earlier_epoch = before.map(|broker| broker.epoch);
        let lost_disk = before.is_some_and(|broker| broker.directory != command.directory)
            && !planted(Mutant::LostDiskKeepsIsr);
        let was_clean = earlier_epoch == Some(BrokerEpoch(command.previous_epoch))
            || planted(Mutant::UncleanTakenForClean);
        self.last_broker_epoch += 1;
        let epoch = BrokerEpoch(self.last_broker_epoch);
        self.brokers.insert(
            id,
            Broker {
                incarnation: command.incarnation,
                host: command.host.clone(),
                port,
                rack: command.rack.clone(),
                directory: command.directory,
                epoch,
                status: if command.fenced { BrokerStatus::Fenced } else { BrokerStatus::Active },
            },
        );
        self.change_partitions_of(id, |change| {
            change.note_new_incarnation(id);
            let lost_unsynced = !was_clean && !change.rules.is_durable;
            if lost_disk || lost_unsynced {
                change.note_loss(id);
            }
            leave_isr(change, id);
        });
        Ok(Outcome::BrokerEpoch(epoch))
    }

    /// A broker is gone.
    pub(crate) fn fence_broker(&mut self, command: &FenceBroker) -> Result<Outcome, Refusal> {
        let id = self.set_status(command.broker_id, command.broker_epoch, BrokerStatus::Fenced)?;
        self.change_partitions_of(id, |change| leave_isr(change, id));
        Ok(Outcome::Applied)
    }

    /// A broker serves: partitions without a leader may have found one.
    pub(crate) fn unfence_broker(&mut self, command: &UnfenceBroker) -> Result<Outcome, Refusal> {
        let id = self.set_status(command.broker_id, command.broker_epoch, BrokerStatus::Active)?;
        self.change_partitions_of(id, |_| {});
        Ok(Outcome::Applied)
    }

    /// A broker is about to stop: others lead what it leads, as far as there are any.
    pub(crate) fn shut_down_broker(
        &mut self,
        command: &ShutDownBroker,
    ) -> Result<Outcome, Refusal> {
        let status = BrokerStatus::ShuttingDown;
        let id = self.set_status(command.broker_id, command.broker_epoch, status)?;
        self.change_partitions_of(id, |change| leave_isr(change, id));
        Ok(Outcome::Applied)
    }

    fn set_status(
        &mut self,
        id: i32,
        epoch: i64,
        status: BrokerStatus,
    ) -> Result<BrokerId, Refusal> {
        let id = BrokerId(id);
        let broker = self.brokers.get_mut(&id).ok_or(ErrorCode::BrokerIdNotRegistered)?;
        if broker.epoch != BrokerEpoch(epoch) {
            return Err(ErrorCode::StaleBrokerEpoch.into());
        }
        // Who is about to stop is not let in again: it has to come anew.
        let comes_back =
            broker.status == BrokerStatus::ShuttingDown && status == BrokerStatus::Active;
        if comes_back {
            return Err(ErrorCode::InvalidRequest.into());
        }
        broker.status = status;
        Ok(id)
    }
}

/// Who does not serve is in sync with nobody. It stays eligible where there are too few.
fn leave_isr(change: &mut Change<'_>, broker: BrokerId) {
    change.remove_from_isr(broker);
}
