//! Generated histories: nothing is wrong with them, until one thing is changed.

use std::collections::BTreeSet;

use super::*;
use crate::history::Commit;

/// What a broker without faults would say to random clients.
struct Broker {
    scene: Scene,
    dice: Dice,
    logs: [Vec<u64>; 2],
    positions: BTreeMap<(u32, Partition), usize>,
    value: u64,
    sequence: i32,
    committed: i64,
    processed: usize,
    /// Operations whose answers are on their way.
    under_way: Vec<(u64, Answer)>,
}

/// A number after the other, from a seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((bits ^ (bits >> 31)) % bound as u64).expect("it is below the bound")
    }
}

fn offset(place: usize) -> i64 {
    i64::try_from(place).expect("it is small")
}

impl Broker {
    fn new(seed: u64) -> Self {
        Self {
            scene: Scene::new(),
            dice: Dice(seed),
            logs: [Vec::new(), Vec::new()],
            positions: BTreeMap::new(),
            value: 0,
            sequence: 0,
            committed: 0,
            processed: 0,
            under_way: Vec::new(),
        }
    }

    fn partition(&mut self) -> Partition {
        [A, B][self.dice.below(2)]
    }

    fn log(&mut self, partition: Partition) -> &mut Vec<u64> {
        &mut self.logs[partition.0 as usize]
    }

    fn values(&mut self) -> Vec<u64> {
        let count = 1 + self.dice.below(3) as u64;
        self.value += count;
        (self.value - count..self.value).collect()
    }

    fn produce(&mut self) {
        let values = self.values();
        let idempotent = self.dice.below(2) == 0;
        let partition = if idempotent { A } else { self.partition() };
        let operation = if idempotent {
            self.scene.send_in_sequence(self.sequence, &values)
        } else {
            self.scene.send(1, partition, &values)
        };
        let base = offset(self.log(partition).len());
        match self.dice.below(10) {
            0 => return self.scene.fail(operation),
            // Nobody knows whether it arrived.
            1 if !idempotent => {
                if self.dice.below(2) == 0 {
                    self.log(partition).extend(values);
                }
                return self.scene.info(operation);
            }
            _ => {}
        }
        if idempotent {
            self.sequence += i32::try_from(values.len()).expect("there are few");
        }
        self.log(partition).extend(values);
        let answer = Answer::Sent { offset: Some(base), attempts: 1 };
        self.under_way.push((operation, answer));
    }

    fn read(&mut self, process: u32, partition: Partition, count_max: usize) -> Read {
        let position = self.positions.entry((process, partition)).or_default();
        let log = &self.logs[partition.0 as usize];
        let end = log.len().min(*position + count_max);
        let records = (*position..end).map(|place| (offset(place), Value(log[place])));
        let probed = Probed { high_watermark: Some(offset(log.len())), ..Probed::default() };
        let read = Read { partition, records: records.collect(), probed, ..Read::default() };
        *position = end;
        read
    }

    fn poll(&mut self) {
        let process = 10 + u32::try_from(self.dice.below(3)).expect("it is small");
        let count_max = 1 + self.dice.below(6);
        let operation = self.scene.invoke(process, Call::Poll { group: None });
        let reads = [A, B].map(|partition| self.read(process, partition, count_max));
        let polled = Polled { reads: reads.into(), unprocessed: false };
        self.scene.ok(operation, Answer::Polled(polled));
    }

    fn process(&mut self) {
        let count_max = 1 + self.dice.below(6);
        let operation = self.scene.invoke(20, Call::Poll { group: Some("g".into()) });
        let read = self.read(20, A, count_max);
        self.processed += read.records.len();
        let polled = Polled { reads: vec![read], unprocessed: false };
        self.scene.ok(operation, Answer::Polled(polled));
    }

    fn commit(&mut self) {
        self.committed = offset(self.processed);
        let commit =
            Commit { group: "g".into(), generation: 1, partition: A, offset: self.committed };
        self.scene.call(20, Call::Commit(commit), Answer::Done);
    }

    fn seek(&mut self) {
        let partition = self.partition();
        let place = self.log(partition).len();
        let place = self.dice.below(place + 1);
        self.positions.insert((10, partition), place);
        self.scene.seek(10, partition, offset(place));
    }

    fn answer(&mut self) {
        if !self.under_way.is_empty() {
            let at = self.dice.below(self.under_way.len());
            let (operation, answer) = self.under_way.remove(at);
            self.scene.ok(operation, answer);
        }
    }

    fn run(mut self, steps: usize) -> Scene {
        for _ in 0..steps {
            match self.dice.below(10) {
                0..=2 => self.produce(),
                3..=4 => self.poll(),
                5 => self.process(),
                6 => self.commit(),
                7 => self.seek(),
                _ => self.answer(),
            }
        }
        while !self.under_way.is_empty() {
            self.answer();
        }
        for partition in [A, B] {
            let log = self.logs[partition.0 as usize].iter().enumerate();
            let records: Vec<_> = log.map(|(place, value)| (offset(place), *value)).collect();
            self.scene.read_all(partition, &records);
        }
        self.scene
    }
}

const SEEDS: u64 = 200;

#[test]
fn nothing_is_wrong_with_what_a_broker_without_faults_says() {
    for seed in 0..SEEDS {
        let scene = Broker::new(seed).run(300);
        assert_eq!(scene.kinds(), [], "seed {seed}");
    }
}

/// The records of all answers that have at least so many of partition A, as places of events.
fn reads(scene: &mut Scene, count_min: usize) -> Vec<&mut Vec<(i64, Value)>> {
    let events = scene.history.events.iter_mut();
    let polled = events.filter_map(|event| match &mut event.what {
        What::Ok(Answer::Polled(polled)) if event.process < 20 => Some(polled),
        What::Invoke(_) | What::Ok(_) | What::Fail(_) | What::Info(_) | What::Note(_) => None,
    });
    let reads = polled.flat_map(|polled| &mut polled.reads).map(|read| &mut read.records);
    reads.filter(|records| records.len() >= count_min).collect()
}

type Mutation = fn(&mut Scene, &mut Dice) -> bool;

fn choose<'a>(
    scene: &'a mut Scene,
    dice: &mut Dice,
    count_min: usize,
) -> Option<&'a mut Vec<(i64, Value)>> {
    let mut reads = reads(scene, count_min);
    let count = reads.len();
    (count > 0).then(|| reads.swap_remove(dice.below(count)))
}

fn drop_from_one_answer(scene: &mut Scene, dice: &mut Dice) -> bool {
    let Some(records) = choose(scene, dice, 3) else { return false };
    records.remove(1);
    true
}

fn drop_everywhere(scene: &mut Scene, dice: &mut Dice) -> bool {
    let acknowledged = scene.history.events.iter().filter_map(|event| match &event.what {
        What::Ok(Answer::Sent { offset: Some(_), .. }) => Some(event.operation),
        What::Invoke(_) | What::Ok(_) | What::Fail(_) | What::Info(_) | What::Note(_) => None,
    });
    let acknowledged: Vec<_> = acknowledged.collect();
    let operation = acknowledged[dice.below(acknowledged.len())];
    let gone = scene.history.events.iter().find_map(|event| match &event.what {
        What::Invoke(Call::Send(send)) if event.operation == operation => Some(send.values[0]),
        What::Invoke(_) | What::Ok(_) | What::Fail(_) | What::Info(_) | What::Note(_) => None,
    });
    let Some(gone) = gone else { return false };
    for event in &mut scene.history.events {
        if let What::Ok(Answer::Polled(polled)) = &mut event.what {
            for read in &mut polled.reads {
                read.records.retain(|(_, value)| *value != gone);
            }
        }
    }
    true
}

fn repeat_at_the_end(scene: &mut Scene, _: &mut Dice) -> bool {
    // Who reads everything finds the first record of partition A once more.
    for event in &mut scene.history.events {
        if let What::Ok(Answer::Polled(polled)) = &mut event.what
            && event.process == 99
            && polled.reads[0].partition == A
            && let Some((_, first)) = polled.reads[0].records.first().copied()
        {
            let end = offset(polled.reads[0].records.len());
            polled.reads[0].records.push((end, first));
            return true;
        }
    }
    false
}

/// Of two that were read before: else nobody could say which of the two readings is wrong.
fn swap_values(scene: &mut Scene, _: &mut Dice) -> bool {
    let mut known = BTreeSet::new();
    for event in &mut scene.history.events {
        let What::Ok(Answer::Polled(polled)) = &mut event.what else { continue };
        for read in &mut polled.reads {
            let all_known = |pair: &[(i64, Value)]| pair.iter().all(|(_, v)| known.contains(v));
            let at = read.records.windows(2).position(all_known);
            if let (99, Some(at)) = (event.process, at) {
                let (first, second) = (read.records[at].1, read.records[at + 1].1);
                (read.records[at].1, read.records[at + 1].1) = (second, first);
                return true;
            }
            known.extend(read.records.iter().map(|(_, value)| *value));
        }
    }
    false
}

fn swap_records(scene: &mut Scene, dice: &mut Dice) -> bool {
    let Some(records) = choose(scene, dice, 3) else { return false };
    records.swap(1, 2);
    true
}

fn invent_a_value(scene: &mut Scene, dice: &mut Dice) -> bool {
    let Some(records) = choose(scene, dice, 1) else { return false };
    let end = offset(100_000);
    records.push((end, Value(u64::MAX)));
    // The consumer goes on where it was.
    let event = scene.history.events.iter_mut().find_map(|event| match &mut event.what {
        What::Ok(Answer::Polled(polled)) => polled
            .reads
            .iter_mut()
            .find(|read| read.records.last().is_some_and(|record| record.0 == end)),
        What::Invoke(_) | What::Ok(_) | What::Fail(_) | What::Info(_) | What::Note(_) => None,
    });
    if let Some(read) = event {
        read.records.pop();
        let place = read.records.len() - 1;
        read.records[place].1 = Value(u64::MAX);
    }
    true
}

fn commit_early(scene: &mut Scene, _: &mut Dice) -> bool {
    let mut highest = 0;
    let mut last = None;
    for event in &mut scene.history.events {
        match &mut event.what {
            What::Ok(Answer::Polled(polled))
                if event.process == 99 && polled.reads[0].partition == A =>
            {
                highest = polled.reads[0].records.len();
            }
            What::Invoke(Call::Commit(commit)) => last = Some(commit),
            What::Invoke(_) | What::Ok(_) | What::Fail(_) | What::Info(_) | What::Note(_) => {}
        }
    }
    match last {
        Some(commit) if offset(highest) > commit.offset => {
            commit.offset = offset(highest);
            true
        }
        _ => false,
    }
}

fn acknowledge_a_failure(scene: &mut Scene, dice: &mut Dice) -> bool {
    let read: Vec<_> = reads(scene, 1).into_iter().flat_map(|records| records.clone()).collect();
    let Some((_, value)) = read.get(dice.below(read.len().max(1))) else { return false };
    let operation = scene.history.events.iter().find_map(|event| match &event.what {
        What::Invoke(Call::Send(send)) if send.values.contains(value) => {
            // Who refuses a batch refuses those that follow it, too.
            send.producer.is_none().then_some(event.operation)
        }
        What::Invoke(_) | What::Ok(_) | What::Fail(_) | What::Info(_) | What::Note(_) => None,
    });
    let mut end = scene.history.events.iter_mut().filter(|event| {
        Some(event.operation) == operation && !matches!(event.what, What::Invoke(_))
    });
    if let Some(event) = end.next() {
        event.what = What::Fail("so they said".into());
        return true;
    }
    false
}

#[test]
fn one_change_is_called_by_its_name() {
    let mutations: &[(&str, Mutation, &[Kind])] = &[
        ("drop from one answer", drop_from_one_answer, &[Kind::IntPollSkip]),
        ("drop everywhere", drop_everywhere, &[Kind::LostWrite]),
        ("repeat", repeat_at_the_end, &[Kind::Duplicate]),
        ("swap values", swap_values, &[Kind::InconsistentOffsets]),
        ("swap records", swap_records, &[Kind::IntNonmonotonicPoll]),
        ("invent", invent_a_value, &[Kind::PhantomRead]),
        ("commit early", commit_early, &[Kind::CommitPastUnprocessed]),
        ("acknowledge a failure", acknowledge_a_failure, &[Kind::AbortedRead]),
    ];
    for (name, mutation, expected) in mutations {
        let mut applied = 0;
        for seed in 0..SEEDS {
            let mut scene = Broker::new(seed).run(300);
            if mutation(&mut scene, &mut Dice(seed)) {
                applied += 1;
                assert_eq!(&scene.kinds(), expected, "{name}, seed {seed}");
            }
        }
        assert!(applied > SEEDS / 2, "{name} was applied {applied} times only");
    }
}
