//! What goes wrong with a disk.

use std::time::Duration;

use ottla_core::disk::{DiskOp, DiskResult, IoError};

use super::{
    image::{Inode, PAGE_BYTES},
    operations::{Begun, write_some},
    rows::describe,
    state::State,
};
use crate::{dice::nanos, faults::Fault, sometimes};

/// The operating system's number for an error of input or output.
const EIO: IoError = IoError::Os(5);

/// What kind of operation it is, as far as time and trouble go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Nothing at all.
    None,
    Read,
    Write,
    Names,
    Sync,
    /// Names, but in the background.
    Background,
}

pub(super) const fn class(op: &DiskOp) -> Class {
    match op {
        DiskOp::Use { .. } | DiskOp::DropCache(_) => Class::None,
        DiskOp::Read { .. } => Class::Read,
        DiskOp::Write { .. } => Class::Write,
        DiskOp::Sync { .. } | DiskOp::SyncAll => Class::Sync,
        DiskOp::RemoveDirectory(_) | DiskOp::List(_) => Class::Background,
        DiskOp::CreateDirectory(_)
        | DiskOp::RenameDirectory { .. }
        | DiskOp::Create(_)
        | DiskOp::Truncate { .. }
        | DiskOp::Rename { .. }
        | DiskOp::Remove(_) => Class::Names,
    }
}

/// How little is left of a disk that is called full: nothing, a little, or too little for the broker's reserve.
const LEFT_WHEN_FULL: [u64; 4] = [0, 8 << 10, 256 << 10, 32 << 20];

impl State {
    /// What befalls the disk by and by, whatever it is asked for.
    pub(super) fn befall(&mut self) {
        let rates = self.plan.rates;
        if self.dice.chance(rates.write_back) {
            self.image.write_back(&mut self.dice);
        } else {
            self.image.sweep();
        }
        if self.dice.chance(rates.evict) {
            self.image.evict(&mut self.dice);
        }
        if self.dice.chance(rates.stall) {
            let stall = self.dice.below(nanos(self.plan.stall_max)) + 1;
            let text = || format!("for {:?}", Duration::from_nanos(stall));
            if self.faults().strike(Fault::DiskStall, self.node, text) {
                self.stalled_until = self.stalled_until.max(self.now() + stall);
            }
        }
        if self.dice.chance(rates.full) && self.full.is_none() {
            let duration = self.dice.below(nanos(self.plan.full_max)) + 1;
            let left = *self.dice.pick(&LEFT_WHEN_FULL);
            let text = || format!("but for {left} bytes, for {:?}", Duration::from_nanos(duration));
            if self.faults().strike(Fault::DiskFull, self.node, text) {
                self.full = Some((self.image.used_bytes() + left, self.now() + duration));
            }
        }
        if self.dice.chance(rates.rot) {
            self.rot();
        }
    }

    fn rot(&mut self) {
        let (atlas, node) = (self.plan.atlas.clone(), self.node);
        let Some(rot) = self.image.plan_rot(|spot| atlas.allows(node, spot), &mut self.dice) else {
            return;
        };
        if self.faults().strike(Fault::DiskRot, node, || rot.to_string()) {
            self.image.rot(&rot, &mut self.dice);
        }
    }

    /// How many bytes there are, and how many of them are free.
    pub(super) fn space(&mut self) -> (u64, u64) {
        let now = self.now();
        if self.full.is_some_and(|(_, until)| until <= now) {
            self.full = None;
        }
        let limit = self.full.map_or(self.plan.bytes, |(limit, _)| limit);
        (limit.saturating_sub(self.image.used_bytes()), self.plan.bytes)
    }

    /// How an operation that is about to begin fails, if it does. What it does nevertheless is done.
    pub(super) fn fail(&mut self, op: &DiskOp, captured: &[Inode]) -> Option<IoError> {
        let rates = self.plan.rates;
        match class(op) {
            Class::Read => {
                let fails = !captured.is_empty() && self.dice.chance(rates.read_error);
                (fails && self.strike(Fault::DiskReadError, op)).then_some(EIO)
            }
            Class::Write => self.fail_write(op),
            Class::Names => {
                if self.is_out_of_space(op) {
                    return Some(IoError::NoSpace);
                }
                let fails = self.dice.chance(rates.name_error);
                (fails && self.strike(Fault::DiskNameError, op)).then_some(EIO)
            }
            // A sync fails at its end.
            Class::None | Class::Sync | Class::Background => None,
        }
    }

    fn strike(&self, fault: Fault, op: &DiskOp) -> bool {
        self.faults().strike(fault, self.node, || describe(op))
    }

    fn is_out_of_space(&mut self, op: &DiskOp) -> bool {
        matches!(op, DiskOp::Create(_) | DiskOp::CreateDirectory(_))
            && self.full.is_some()
            && self.space().0 < PAGE_BYTES as u64
    }

    fn fail_write(&mut self, op: &DiskOp) -> Option<IoError> {
        let DiskOp::Write { file, position, data } = op else { return None };
        let inode = self.table()?.file(&self.image, *file).ok()?;
        let rates = self.plan.rates;
        let (written, error) = if let Some(fits) = self.fits(inode, *position, data.len()) {
            sometimes!(NoSpace);
            (fits, IoError::NoSpace)
        } else if self.dice.chance(rates.write_error) && self.strike(Fault::DiskWriteError, op) {
            (0, EIO)
        } else if self.dice.chance(rates.short_write) && self.strike(Fault::DiskShortWrite, op) {
            (self.dice.index(data.len()), EIO)
        } else {
            return None;
        };
        let now = self.timestamp();
        write_some(&mut self.image, inode, *position, data, written, now);
        Some(error)
    }

    /// How much of a write still fits on the disk, if not all of it.
    fn fits(&mut self, inode: Inode, position: u64, length: usize) -> Option<usize> {
        self.full?;
        let (free, _) = self.space();
        let page = PAGE_BYTES as u64;
        let there = self.image.length(inode).div_ceil(page) * page;
        let limit = there.saturating_add(free / page * page);
        let end = position + length as u64;
        (end > limit && self.full.is_some())
            .then(|| usize::try_from(limit.saturating_sub(position)).unwrap_or(length).min(length))
    }

    /// How a sync that is about to end fails, if it does.
    pub(super) fn fail_sync(&mut self, op: &DiskOp, begun: &mut Begun) -> Option<IoError> {
        let Begun::Syncing { sync, .. } = begun else { return None };
        let rates = self.plan.rates;
        if self.image.take_unreported(sync) {
            self.image.end_sync(sync);
            return Some(EIO);
        }
        if !sync.is_nothing() && self.dice.chance(rates.sync_error) {
            if self.strike(Fault::DiskSyncError, op) {
                self.image.fail_sync(sync, &mut self.dice);
                return Some(EIO);
            }
        } else if self.dice.chance(rates.misdirect) && !self.has_misdirected {
            let (atlas, node) = (self.plan.atlas.clone(), self.node);
            let planned =
                self.image.plan_misdirection(sync, |spot| atlas.allows(node, spot), &mut self.dice);
            if let Some(planned) = planned
                && self.faults().strike(Fault::DiskMisdirected, node, || planned.to_string())
            {
                self.has_misdirected = true;
                self.image.misdirect(sync, &planned);
            }
        }
        None
    }

    /// How long an operation takes that begins now.
    pub(super) fn latency(&mut self, op: &DiskOp, begun: &Begun) -> u64 {
        let latencies = self.plan.latencies;
        let mean = match class(op) {
            Class::None => return 0,
            Class::Write | Class::Names => latencies.cache,
            Class::Read if matches!(begun, Begun::Ended(DiskResult::Bytes(_))) => return 0,
            Class::Read | Class::Background => latencies.read,
            Class::Sync => latencies.sync,
        };
        let mut latency = nanos(self.dice.exponential(mean));
        if latency > 0 && self.dice.chance(self.plan.rates.slow) {
            let factor = self.dice.magnitude(10..1_000);
            let text = || format!("{}, {factor} times", describe(op));
            if self.faults().strike(Fault::DiskSlow, self.node, text) {
                latency = latency.saturating_mul(factor).min(nanos(self.plan.stall_max));
            }
        }
        let waits = match class(op) {
            Class::Read | Class::Sync | Class::Background => true,
            Class::None | Class::Write | Class::Names => false,
        };
        if waits { latency.max(self.stalled_until.saturating_sub(self.now())) } else { latency }
    }
}
