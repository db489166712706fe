//! Faults: what there are, and which of them struck. Each has a number among its kind, so that a single one can be left out.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::trace::{Kind, Place, Trace};

macro_rules! faults {
    ($($family:ident $family_text:literal { $($(#[doc = $what:literal])+ $name:ident $text:literal,)* })*) => {
        /// Faults that a run has or has not, as a whole.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Family {
            $(#[doc = $family_text] $family,)*
        }

        impl Family {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$family,)*];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$family => $family_text,)* }
            }
        }

        /// A kind of fault.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Fault {
            $($($(#[doc = $what])+ $name,)*)*
        }

        impl Fault {
            /// All there are.
            pub const ALL: &[Self] = &[$($(Self::$name,)*)*];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $($(Self::$name => $text,)*)* }
            }

            /// Its family.
            pub const fn family(self) -> Family {
                match self { $($(Self::$name => Family::$family,)*)* }
            }
        }
    };
}

faults! {
    DiskSlow "disk-slow" {
        /// An operation takes ten to a thousand times as long as usual.
        DiskSlow "disk-slow",
        /// An operation takes seconds.
        DiskStall "disk-stall",
    }
    DiskError "disk-error" {
        /// A read fails with EIO.
        DiskReadError "read-eio",
        /// A write fails with EIO.
        DiskWriteError "write-eio",
        /// A write ends early.
        DiskShortWrite "short-write",
        /// An operation on names fails with EIO.
        DiskNameError "name-eio",
    }
    DiskSync "disk-sync" {
        /// A sync fails, and the pages are dropped.
        DiskSyncError "sync-eio",
    }
    DiskFull "disk-full" {
        /// The disk is full for a while.
        DiskFull "disk-full",
    }
    DiskRot "disk-rot" {
        /// A bit of what was written is another.
        DiskRot "bit-rot",
        /// A write lands elsewhere.
        DiskMisdirected "misdirected-write",
    }
    DiskCrash "disk-crash" {
        /// Sectors that were not synced are lost.
        DiskLostSectors "lost-sectors",
        /// Sectors that were not synced are garbage.
        DiskTornSectors "torn-sectors",
        /// Names that were not synced are lost.
        DiskLostNames "lost-names",
    }
    DiskWipe "disk-wipe" {
        /// A machine comes back with an empty disk.
        DiskWiped "wiped-disk",
    }
    NetLoss "net-loss" {
        /// A segment is lost, and sent again later.
        NetLoss "lost-segment",
    }
    NetHold "net-hold" {
        /// A segment, and what follows it, is held for seconds.
        NetHold "held-segments",
    }
    NetReset "net-reset" {
        /// A connection is reset.
        NetReset "reset",
        /// A connection goes dead without anybody being told.
        NetHalfOpen "half-open",
    }
    NetPartition "net-partition" {
        /// A link no longer carries, in one direction or both.
        NetLinkCut "link-cut",
        /// A machine is cut off.
        NetIsolated "isolated",
        /// The machines fall into halves.
        NetHalves "halves",
        /// Halves that only one machine connects.
        NetBridge "bridge",
    }
    NetSlow "net-slow" {
        /// A link is slow for a while.
        NetSlowLink "slow-link",
    }
    NetBytes "net-bytes" {
        /// A connection of which bytes are read one by one.
        NetOneByte "one-byte-reads",
        /// A connection with a tiny window.
        NetTinyWindow "tiny-window",
    }
    ClockDrift "clock-drift" {
        /// A clock runs at another rate.
        ClockDrift "clock-drift",
    }
    ClockJump "clock-jump" {
        /// A clock jumps forwards.
        ClockForward "clock-forward",
        /// A clock jumps back.
        ClockBack "clock-back",
    }
    ProcessKill "process-kill" {
        /// A process is killed: what it wrote stays in the page cache.
        ProcessKill "kill",
        /// A process is killed at a file operation.
        ProcessKillAtOperation "kill-at-operation",
    }
    ProcessPower "process-power" {
        /// A machine loses power.
        ProcessPower "power-loss",
        /// A machine loses power at a file operation.
        ProcessPowerAtOperation "power-loss-at-operation",
    }
    ProcessPause "process-pause" {
        /// A process stands still.
        ProcessPause "pause",
    }
    ProcessStop "process-stop" {
        /// A broker is stopped in order.
        ProcessStop "graceful-stop",
        /// All brokers are stopped in order, one after the other.
        ProcessRoll "rolling-restart",
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Family {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().copied().find(|family| family.name() == text);
        found.ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|family| family.name()).collect();
            format!("there is no family {text}; there are: {}", names.join(", "))
        })
    }
}

/// One fault of a run: the kind, and its number among its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct FaultId {
    /// What kind.
    pub fault: Fault,
    /// The how manieth, from 1.
    pub number: u64,
}

impl From<FaultId> for String {
    fn from(id: FaultId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for FaultId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for FaultId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.fault, self.number)
    }
}

impl std::str::FromStr for FaultId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let malformed = || format!("{text} is not a fault: those are KIND#NUMBER, as in kill#2");
        let (name, number) = text.split_once('#').ok_or_else(malformed)?;
        let fault = Fault::ALL.iter().copied().find(|fault| fault.name() == name);
        let number = number.parse().map_err(|_| malformed())?;
        Ok(Self { fault: fault.ok_or_else(malformed)?, number })
    }
}

/// Faults of a kind whose numbers follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FaultRow {
    /// What kind.
    pub fault: Fault,
    /// The first of them.
    pub first: u64,
    /// The last of them.
    pub last: u64,
}

impl FaultRow {
    /// Its faults.
    pub fn ids(&self) -> impl Iterator<Item = FaultId> + use<> {
        let fault = self.fault;
        (self.first..=self.last).map(move |number| FaultId { fault, number })
    }

    /// Faults as few rows.
    pub fn rows(ids: &BTreeSet<FaultId>) -> Vec<Self> {
        let mut rows: Vec<Self> = Vec::new();
        for FaultId { fault, number } in ids.iter().copied() {
            match rows.last_mut().filter(|row| row.fault == fault && row.last + 1 == number) {
                Some(row) => row.last = number,
                None => rows.push(Self { fault, first: number, last: number }),
            }
        }
        rows
    }
}

impl fmt::Display for FaultRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fault, first, last } = self;
        if first == last {
            write!(f, "{fault}#{first}")
        } else {
            write!(f, "{fault}#{first}-{last}")
        }
    }
}

impl std::str::FromStr for FaultRow {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, numbers) = text.split_once('#').unwrap_or((text, ""));
        let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
        let first: FaultId = format!("{name}#{first}").parse()?;
        let last: FaultId = format!("{name}#{last}").parse()?;
        Ok(Self { fault: first.fault, first: first.number, last: last.number })
    }
}

/// The faults of a run. Clones share them.
#[derive(Debug, Clone)]
pub struct Faults(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    trace: Trace,
    dropped: BTreeSet<FaultId>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How many of each kind were about to strike, and how many did.
    counts: BTreeMap<Fault, (u64, u64)>,
    strikes: Vec<FaultId>,
    has_healed: bool,
}

impl Faults {
    /// All faults may strike, but those that are dropped.
    pub fn new(trace: Trace, dropped: BTreeSet<FaultId>) -> Self {
        Self(Arc::new(Shared { trace, dropped, state: Mutex::default() }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A fault is about to strike: whether it does. Whoever asks must then have it happen.
    pub fn strike(
        &self,
        fault: Fault,
        place: impl Into<Place>,
        text: impl FnOnce() -> String,
    ) -> bool {
        match self.promise(fault) {
            Some(id) => {
                self.keep(id, place, text);
                true
            }
            None => false,
        }
    }

    /// A fault may strike later: its number if it will. Whoever asks must then have it happen, or never.
    pub fn promise(&self, fault: Fault) -> Option<FaultId> {
        let mut state = self.state();
        if state.has_healed {
            return None;
        }
        let (considered, _) = state.counts.entry(fault).or_default();
        *considered += 1;
        let id = FaultId { fault, number: *considered };
        (!self.0.dropped.contains(&id)).then_some(id)
    }

    /// A fault that was promised strikes.
    pub fn keep(&self, id: FaultId, place: impl Into<Place>, text: impl FnOnce() -> String) {
        let mut state = self.state();
        state.counts.entry(id.fault).or_default().1 += 1;
        state.strikes.push(id);
        drop(state);
        let figures = [id.fault as u64, id.number, 0];
        self.0.trace.row(place, Kind::Fault, figures, || format!("{id} {}", text()));
    }

    /// No more faults strike.
    pub fn heal(&self) {
        self.state().has_healed = true;
    }

    /// Which struck, in their order.
    pub fn strikes(&self) -> Vec<FaultId> {
        self.state().strikes.clone()
    }

    /// How many struck, by kind.
    pub fn struck(&self) -> BTreeMap<Fault, u64> {
        let state = self.state();
        let struck = state.counts.iter().filter(|(_, (_, struck))| *struck > 0);
        struck.map(|(fault, (_, struck))| (*fault, *struck)).collect()
    }

    /// Whether a fault of one of these families has struck.
    pub fn any_struck(&self, families: &[Family]) -> bool {
        let state = self.state();
        let mut counts = state.counts.iter();
        counts.any(|(fault, (_, struck))| *struck > 0 && families.contains(&fault.family()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_written_as_rows_and_read_back() {
        let ids = |texts: &[&str]| -> BTreeSet<FaultId> {
            texts.iter().map(|text| text.parse().expect("it is a fault")).collect()
        };
        let some = ids(&["kill#1", "kill#2", "kill#4", "bit-rot#3"]);
        let rows = FaultRow::rows(&some);
        let texts: BTreeSet<String> = rows.iter().map(FaultRow::to_string).collect();
        assert_eq!(texts, ["kill#1-2", "kill#4", "bit-rot#3"].map(String::from).into());
        let again = texts.iter().map(|text| text.parse::<FaultRow>().expect("it is a row"));
        assert_eq!(again.flat_map(|row| row.ids()).collect::<BTreeSet<_>>(), some);
        assert!("kill".parse::<FaultRow>().is_err());
        assert!("thrill#1".parse::<FaultRow>().is_err());
    }
}
