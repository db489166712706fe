//! Worlds with the settings and the faults of a question that the advisor answers, and nothing that its model has no like of.
//!
//! What is forgiven elsewhere is not forgiven here: with a relaxed flush as well, each acknowledged record must be there.

use std::collections::BTreeSet;

use ottla_model::advisor::{Acks, Flush, Question};

use crate::{
    dice::Dice,
    faults::Family,
    workload::{WorkloadPlan, plan::Advised},
};

/// With these, what was synced may be lost, or nothing can be.
const BEYOND: &[Family] =
    &[Family::DiskError, Family::DiskSync, Family::DiskFull, Family::DiskRot, Family::DiskWipe];

/// Has go wrong what the question names, and not what is worse. What delays, cuts off and repeats stays as it was drawn.
pub fn choose_families(question: &Question, families: &mut BTreeSet<Family>) {
    families.retain(|family| !BEYOND.contains(family));
    let faults = question.faults;
    for (family, count) in [
        (Family::ProcessKill, faults.crashes),
        (Family::ProcessPower, faults.power_losses),
        (Family::DiskCrash, faults.power_losses),
    ] {
        if count > 0 {
            families.insert(family);
        } else {
            families.remove(&family);
        }
    }
}

/// A producer's `acks`.
pub const fn acks(question: &Question) -> i16 {
    match question.acks {
        Acks::None => 0,
        Acks::Leader => 1,
        Acks::All => -1,
    }
}

/// The topic's `flush.messages`; relaxed, it is as good as never by itself.
pub const fn flush_messages(question: &Question) -> u64 {
    match question.flush {
        Flush::System => 1 << 40,
        Flush::Fsync => 1,
    }
}

/// Has clients do what the question names.
pub fn choose_work(question: &Question, workload: &mut WorkloadPlan, dice: &mut Dice) {
    let Question { flush, consumer, faults, .. } = *question;
    let is_relaxed = flush == Flush::System;
    workload.become_advised(
        Advised {
            acks: acks(question),
            flush_messages: flush_messages(question),
            commits: consumer,
            clients_crash: faults.crashes > 0,
            // A group cannot have processed what is gone before it was read: what is lost so is the partition's.
            has_groups: !(is_relaxed && faults.power_losses > 0),
        },
        dice,
    );
}
