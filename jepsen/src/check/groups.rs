//! Does a group process everything, and does the coordinator keep what it acknowledged?

use std::collections::BTreeMap;

use super::{
    allowed::Latest,
    anomaly::{Anomalies, Kind},
    commits::{Commits, Found},
    index::{Index, Outcome},
    log::Log,
};
use crate::history::{Answer, Call, Commit, Note, Partition, Synced, What};

pub(super) fn check(index: &Index<'_>, logs: &[Log], anomalies: &mut Anomalies) {
    let latest = index.latest();
    let mut checker = Checker {
        index,
        logs,
        anomalies,
        latest,
        progress: BTreeMap::new(),
        commits: BTreeMap::new(),
        generations: BTreeMap::new(),
        deleted_until: BTreeMap::new(),
        begun_anew: BTreeMap::new(),
        owners: BTreeMap::new(),
        asked_at: BTreeMap::new(),
    };
    for (place, event) in index.history.events.iter().enumerate() {
        match &event.what {
            What::Invoke(call) => checker.take_call(place, call),
            What::Ok(answer) => checker.take_answer(place, answer),
            What::Fail(_) | What::Info(_) => checker.take_end(place),
            What::Note(Note::Begin { group, partition, offset }) => {
                checker.progress(group, *partition).begin(*offset);
            }
            What::Note(Note::Drained { group, partition, offset }) => {
                checker.require_processed(Kind::Unprocessed, place, group, *partition, *offset);
            }
            What::Note(_) => {}
        }
    }
}

type Key<'h> = (&'h str, Partition);

struct Checker<'a, 'h> {
    index: &'a Index<'h>,
    logs: &'a [Log],
    anomalies: &'a mut Anomalies,
    latest: Latest,
    progress: BTreeMap<Key<'h>, Progress>,
    commits: BTreeMap<Key<'h>, Commits>,
    /// The highest generation that a member was told, and when.
    generations: BTreeMap<&'h str, (i32, usize)>,
    /// The event by which a group may have been deleted last.
    deleted_until: BTreeMap<&'h str, usize>,
    /// When a group began anew.
    begun_anew: BTreeMap<&'h str, usize>,
    owners: BTreeMap<(&'h str, i32, Partition), (&'h str, usize)>,
    /// The generation that was known when an operation began, by the operation's number.
    asked_at: BTreeMap<u32, (i32, usize)>,
}

/// What a group has processed of a partition.
#[derive(Debug, Default)]
struct Progress {
    /// By the places of the partition's log.
    processed: Vec<bool>,
    /// All places before it are processed, or need not be.
    frontier: usize,
    /// What lies below needs not be processed: the group began here.
    begin: i64,
}

impl Progress {
    fn begin(&mut self, offset: i64) {
        self.begin = self.begin.max(offset);
    }

    fn process(&mut self, place: usize) {
        if self.processed.len() <= place {
            self.processed.resize(place + 1, false);
        }
        self.processed[place] = true;
    }
}

impl<'h> Checker<'_, 'h> {
    fn progress(&mut self, group: &'h str, partition: Partition) -> &mut Progress {
        self.progress.entry((group, partition)).or_default()
    }

    fn commits(&mut self, group: &'h str, partition: Partition) -> &mut Commits {
        self.commits.entry((group, partition)).or_default()
    }

    fn take_call(&mut self, place: usize, call: &'h Call) {
        let Some(number) = self.index.operation_number(place) else { return };
        match call {
            Call::Join { group } | Call::Sync { group, .. } => self.note_generation(number, group),
            Call::Commit(commit) => {
                let Commit { group, partition, offset, .. } = commit;
                self.note_generation(number, group);
                self.require_processed(
                    Kind::CommitPastUnprocessed,
                    place,
                    group,
                    *partition,
                    *offset,
                );
                self.commits(group, *partition).invoke(place, commit.generation, *offset);
            }
            Call::FetchOffset { group, partition } => {
                self.commits(group, *partition).ask(place);
            }
            Call::DeleteGroup { group } => {
                let Some(until) = self.deleted_until(place) else { return };
                let known = self.deleted_until.entry(group).or_default();
                *known = (*known).max(until);
                for ((of, _), commits) in &mut self.commits {
                    if *of == group {
                        commits.may_be_deleted(until);
                    }
                }
            }
            Call::DeleteOffset { group, partition } => {
                let Some(until) = self.deleted_until(place) else { return };
                self.commits(group, *partition).may_be_deleted(until);
            }
            Call::Send(_)
            | Call::Poll { .. }
            | Call::Probe { .. }
            | Call::Leave { .. }
            | Call::CreateTopic { .. }
            | Call::DeleteTopic { .. }
            | Call::AlterTopic { .. }
            | Call::DeleteRecords { .. }
            | Call::Other(_) => {}
        }
    }

    /// The event by which a deletion has taken place, unless it never does.
    fn deleted_until(&self, place: usize) -> Option<usize> {
        let operation = self.index.operation(place)?;
        match operation.outcome {
            Outcome::Ok => Some(operation.completion as usize),
            Outcome::Info => Some(usize::MAX),
            Outcome::Fail => None,
        }
    }

    fn note_generation(&mut self, number: u32, group: &'h str) {
        if let Some(known) = self.generations.get(group) {
            self.asked_at.insert(number, *known);
        }
    }

    fn take_end(&mut self, place: usize) {
        if let Some(number) = self.index.operation_number(place) {
            self.asked_at.remove(&number);
        }
        if let (Some(Call::Commit(commit)), Some(operation)) =
            (self.index.call(place), self.index.operation(place))
            && operation.outcome == Outcome::Fail
        {
            self.commits(&commit.group, commit.partition).fail(operation.invoke as usize);
        }
    }

    fn take_answer(&mut self, place: usize, answer: &'h Answer) {
        let known =
            self.index.operation_number(place).and_then(|number| self.asked_at.remove(&number));
        match (answer, self.index.call(place)) {
            (Answer::Polled(polled), Some(Call::Poll { group: Some(group) }))
                if !polled.unprocessed =>
            {
                self.process(group, polled);
            }
            // A generation that has no assignment yet is in no log: after a restart its number may be given again.
            (Answer::Synced(synced), Some(Call::Sync { group, .. })) => {
                let invoke = self.index.operation(place).map_or(place, |it| it.invoke as usize);
                // What was asked before it began anew tells of what was before.
                if self.begun_anew.get(group.as_str()).is_none_or(|begun| invoke >= *begun) {
                    self.raise_generation(place, group, synced.generation, known);
                    self.own(place, group, synced);
                }
            }
            // It was forgotten, and nobody need have been assigned anything in its first generation.
            (Answer::Joined { generation }, Some(Call::Join { group }))
                if *generation <= 1 && known.is_some_and(|(before, _)| before > *generation) =>
            {
                self.begin_anew(place, group, *generation);
            }
            (Answer::Done, Some(Call::Commit(commit))) => self.accept(place, commit, known),
            (Answer::Done, Some(Call::DeleteOffset { group, partition })) => {
                if let Some(operation) = self.index.operation(place) {
                    self.commits(group, *partition).is_gone(operation.invoke as usize, place);
                }
            }
            (Answer::Offset(offset), Some(Call::FetchOffset { group, partition })) => {
                self.find(place, group, *partition, *offset);
            }
            _ => {}
        }
    }

    fn process(&mut self, group: &'h str, polled: &crate::history::Polled) {
        let logs = self.logs;
        for read in &polled.reads {
            let progress = self.progress(group, read.partition);
            let log = &logs[read.partition.0 as usize];
            for (offset, _) in &read.records {
                progress.process(log.place(*offset));
            }
            for bad in &read.bad {
                // What is damaged is judged elsewhere.
                progress.process(log.place(bad.offset));
            }
        }
    }

    /// Everything below an offset that somebody read must be processed by now.
    fn require_processed(
        &mut self,
        kind: Kind,
        place: usize,
        group: &'h str,
        partition: Partition,
        offset: i64,
    ) {
        let (index, logs) = (self.index, self.logs);
        if index.allowed[partition.0 as usize].forgets {
            return;
        }
        let progress = self.progress.entry((group, partition)).or_default();
        let log = &logs[partition.0 as usize];
        let end = log.place(offset);
        while progress.frontier < end {
            let slot = log.slots()[progress.frontier];
            let processed = progress.processed.get(progress.frontier).copied().unwrap_or(false);
            let needed = slot.read
                && slot.offset >= progress.begin
                && slot.value != u32::MAX
                && !index.slot_may_be_gone(partition, &slot, &self.latest);
            if needed && !processed {
                let value = index.values[slot.value as usize].value;
                self.anomalies.add(kind, [slot.event as usize, place], || {
                    let name = index.name(partition);
                    let at = slot.offset;
                    format!(
                        "{group}, {name}: {value} at {at} was not processed, and is below {offset}"
                    )
                });
                return;
            }
            progress.frontier += 1;
        }
    }

    fn raise_generation(
        &mut self,
        place: usize,
        group: &'h str,
        generation: i32,
        known: Option<(i32, usize)>,
    ) {
        let begins_anew = generation <= 1;
        if let Some((before, event)) = known
            && generation < before
            && !begins_anew
        {
            if self.may_have_begun_anew(group, event, place) {
                self.begin_anew(place, group, generation);
                return;
            }
            let text = || format!("{group}: {before}, then {generation}");
            self.anomalies.add(Kind::GenerationWentBack, [event, place], text);
        }
        let highest = self.generations.entry(group).or_insert((generation, place));
        if generation > highest.0 {
            *highest = (generation, place);
        } else if begins_anew && generation < highest.0 {
            self.begin_anew(place, group, generation);
        }
    }

    /// Whether a group may have been forgotten between an event and the beginning of an operation, and have begun anew with a
    /// generation of which nobody was told: it was deleted, or was empty and had no offsets. Offsets that were there when the
    /// operation began, and that nobody deleted, are of before: who commits was told of a generation.
    fn may_have_begun_anew(&self, group: &'h str, since: usize, place: usize) -> bool {
        let invoke = self.index.operation(place).map_or(place, |it| it.invoke as usize);
        let bounds = (group, Partition(0))..=(group, Partition(u32::MAX));
        let is_deleted =
            |partition: Partition| self.index.allowed[partition.0 as usize].topic_deleted.is_some();
        let stood = |((_, partition), commits): (&Key<'h>, &Commits)| {
            !is_deleted(*partition) && commits.stood_at(invoke)
        };
        self.index.history.header.rules.offsets_expire
            || self.deleted_until.get(group).is_some_and(|until| *until > since)
            || !self.commits.range(bounds).any(stood)
    }

    /// A group that was empty and had no offsets is forgotten: what was known of it means nothing any more.
    fn begin_anew(&mut self, place: usize, group: &'h str, generation: i32) {
        self.owners.retain(|(of, ..), _| *of != group);
        self.begun_anew.insert(group, place);
        self.generations.insert(group, (generation, place));
    }

    fn own(&mut self, place: usize, group: &'h str, synced: &'h Synced) {
        let invoke = self.index.operation(place).map_or(place, |it| it.invoke as usize);
        let generation = synced.generation;
        let other = synced.partitions.iter().find_map(|partition| {
            let (owner, event) = self.owners.get(&(group, generation, *partition))?;
            // Who shares a first generation with somebody may be of a group that begins anew, whenever they ask.
            let is_later = generation <= 1 || *event < invoke;
            (*owner != synced.owner && is_later).then_some(*event)
        });
        if other.is_some_and(|event| self.may_have_begun_anew(group, event, place)) {
            self.begin_anew(place, group, generation);
        }
        for partition in &synced.partitions {
            let key = (group, generation, *partition);
            let owner = synced.owner.as_str();
            let (first, event) = *self.owners.entry(key).or_insert((owner, place));
            if first != owner {
                self.anomalies.add(Kind::TwoOwners, [event, place], || {
                    let name = self.index.name(*partition);
                    format!("{group}, {name}: {first} and {owner} in generation {generation}")
                });
            }
        }
    }

    fn accept(&mut self, place: usize, commit: &'h Commit, known: Option<(i32, usize)>) {
        let Some(operation) = self.index.operation(place) else { return };
        let Commit { group, generation, partition, offset } = commit;
        if let Some((newest, event)) = known
            && *generation >= 0
            && *generation < newest
        {
            let text = || format!("{group}: generation {generation}, when {newest} was known");
            let witnesses = [event, operation.invoke as usize, place];
            self.anomalies.add(Kind::ZombieCommit, witnesses, text);
        }
        let before = self.commits(group, *partition).accept(operation.invoke as usize, place);
        if let Some((before, event)) = before {
            let name = || self.index.name(*partition);
            let text = || format!("{group}, {}: {before}, then {offset}", name());
            self.anomalies.add(Kind::CommitWentBack, [event, place], text);
        }
    }

    fn find(&mut self, place: usize, group: &'h str, partition: Partition, found: Option<i64>) {
        let Some(operation) = self.index.operation(place) else { return };
        let deleted = self.index.allowed[partition.0 as usize].topic_deleted;
        // Who deletes a topic deletes its offsets.
        let expires = self.index.history.header.rules.offsets_expire && found.is_none();
        if expires {
            self.commits(group, partition).may_be_deleted(place);
        }
        if found.is_none() {
            self.commits(group, partition).is_gone(operation.invoke as usize, place);
        }
        if expires {
            return;
        }
        let index = self.index;
        let name = || index.name(partition);
        let told = || found.map_or_else(|| "no offset".into(), |offset| offset.to_string());
        match self.commits(group, partition).find(operation.invoke as usize, found) {
            Found::Right => {}
            // With its topic it may be gone. What was committed for another topic of its name is none of its own.
            Found::Lost { .. } if deleted.is_some() => {}
            Found::Lost { offset, event } => {
                let text =
                    || format!("{group}, {}: {} after {offset} was acknowledged", name(), told());
                self.anomalies.add(Kind::LostCommit, [event, place], text);
            }
            Found::CameBack { event } => {
                let text = || format!("{group}, {}: {} after there was none", name(), told());
                self.anomalies.add(Kind::OffsetCameBack, [event, place], text);
            }
            Found::Phantom => {
                let text = || format!("{group}, {}: {}, which nobody committed", name(), told());
                self.anomalies.add(Kind::PhantomOffset, [place], text);
            }
        }
    }
}
