//! A partition that follows: what it takes from its leader, and how its log is cut off, with a crash at every step.

use ottla_core::{
    replica::{FetchAnswer, Taken},
    types::{BrokerId, ErrorCode, LeaderEpoch, Offset},
};

use crate::support::replica::{Follower, batch, brings, view};

/// How many records the batches have of which the log is made.
const SIZES: [u8; 8] = [1, 3, 2, 1, 4, 2, 3, 1];
/// From which batch on they are of the second epoch, and of the third.
const SECOND: usize = 3;
const THIRD: usize = 6;

/// Epoch, first offset and end of each batch.
fn batches() -> Vec<(i32, i64, i64)> {
    let mut next = 0;
    let batches = SIZES.iter().enumerate().map(|(place, &size)| {
        let epoch = 1 + i32::from(place >= SECOND) + i32::from(place >= THIRD);
        let first = next;
        next += i64::from(size);
        (epoch, first, next)
    });
    batches.collect()
}

/// A follower that has them all, with a checkpoint after so many.
fn follower(seed: u64, checkpoint_after: Option<usize>) -> Follower {
    let mut follower = Follower::new(seed);
    for (place, &(epoch, first, end)) in batches().iter().enumerate() {
        if checkpoint_after == Some(place) {
            follower.checkpoint();
        }
        let size = u8::try_from(end - first).expect("batches are small");
        let taken = follower.fetch(brings(&[batch(epoch, first, size)]));
        assert_eq!(taken, Taken::Appended);
        follower.settle();
    }
    if checkpoint_after == Some(SIZES.len()) {
        follower.checkpoint();
    }
    follower
}

/// The leader's log differs after the end of an epoch.
fn diverges(epoch: i32, end: i64) -> FetchAnswer<bytes::Bytes> {
    FetchAnswer { diverging: Some((LeaderEpoch(epoch), Offset(end))), ..brings(&[]) }
}

/// The leader's log begins elsewhere.
fn begins_at(start: i64) -> FetchAnswer<bytes::Bytes> {
    FetchAnswer { error: ErrorCode::OffsetOutOfRange, start_offset: Offset(start), ..brings(&[]) }
}

/// What is there is a part of the log as it was, and not less than the first `kept` batches of it.
fn assert_part(follower: &Follower, kept: usize, what: &str) -> usize {
    let (start, end, found) = follower.content();
    let all = batches();
    assert!(all.starts_with(&found), "{what}: no hole, and nothing else: {found:?}");
    assert!(found.len() >= kept, "{what}: nothing is cut off that should stay: {found:?}");
    assert_eq!(start, 0, "{what}");
    assert_eq!(end, found.last().map_or(0, |batch| batch.2), "{what}");
    assert_epochs(follower, &found, what);
    found.len()
}

/// The epochs that the log knows are those of its batches.
fn assert_epochs(follower: &Follower, found: &[(i32, i64, i64)], what: &str) {
    let mut epochs: Vec<(i32, i64)> = found.iter().map(|batch| (batch.0, batch.1)).collect();
    epochs.dedup_by_key(|entry| entry.0);
    assert_eq!(follower.epochs(), epochs, "{what}");
}

#[test]
fn what_the_leader_sends_is_taken_as_it_is() {
    let mut follower = follower(1, None);
    let (_, end, found) = follower.content();
    assert_eq!((end, found), (17, batches()));
    assert_epochs(&follower, &batches(), "taken");
    // What comes after a gap, which compaction has left; and a batch that does not fit the answer.
    let cut = batch(3, 25, 2).slice(..40);
    let taken = follower.fetch(brings(&[batch(3, 20, 2), cut]));
    assert_eq!(taken, Taken::Appended);
    follower.settle();
    assert_eq!(follower.content().1, 22);
    follower.crash(true);
    follower.known.recovery_point = None;
    follower.start();
    assert_eq!(follower.content().1, 17, "recovery takes no gap that compaction did not leave");
}

#[test]
fn what_is_damaged_or_not_next_is_not_taken() {
    let mut follower = follower(1, None);
    let mut damaged = batch(3, 18, 2).to_vec();
    *damaged.last_mut().expect("it has bytes") ^= 1;
    let refused = [
        brings(&[batch(3, 17, 1), damaged.into()]),
        brings(&[batch(3, 16, 1)]),
        brings(&[batch(2, 17, 1)]),
        brings(&[batch(3, 17, 2), batch(3, 18, 1)]),
    ];
    for answer in refused {
        assert_eq!(follower.fetch(answer), Taken::Corrupt);
        follower.settle();
        assert_eq!(follower.content(), (0, 17, batches()), "all of an answer or nothing");
    }
    assert_eq!(follower.fetch(brings(&[batch(3, 17, 1)])), Taken::Appended);
}

/// It tells its leader of nothing that is not durable, and fetches on when it is.
#[test]
fn nothing_is_fetched_before_all_is_durable() {
    let mut follower = Follower::new(1);
    assert_eq!(follower.fetch(brings(&[batch(1, 0, 2)])), Taken::Appended);
    while follower.act(|partition, _| partition.next_fetch()).is_none() {
        let durable = follower.partition().open_log().expect("it is open").durable();
        assert_eq!(durable.offset, Offset::ZERO);
        assert!(follower.step(), "it becomes durable");
    }
    follower.crash(true);
    follower.start();
    assert_eq!(follower.content().1, 2);
}

/// A log is cut off at each batch, with a checkpoint at each, and the process dies, or the power goes, after each operation; then
/// what is there can be opened, and once the cut was over, nothing of what was cut off comes back, whatever is appended since.
#[test]
fn a_crash_at_each_step_of_a_cut() {
    let (mut before, mut after) = (0, 0);
    for (seed, checkpoint_after) in (0..).zip([None, Some(2), Some(5), Some(8)]) {
        for kept in 1..SIZES.len() {
            for steps in 0..CUT_STEPS_MAX {
                let is_power = steps % 2 == 0 || seed % 2 == 0;
                let mut follower = follower(seed * 1_000 + steps as u64, checkpoint_after);
                let (epoch, _, end) = batches()[kept - 1];
                let taken = follower.fetch(diverges(epoch, end));
                let to = Offset(end);
                assert_eq!(taken, Taken::Truncating { to, loses: false });
                let until = follower.ended + steps;
                while follower.ended < until && follower.step() {}
                let id = follower.act(|partition, _| partition.next_fetch());
                let what = format!(
                    "{kept} batches kept, checkpoint {checkpoint_after:?}, crash after {steps}"
                );
                let is_over = id.is_some();
                if is_over {
                    assert_eq!(assert_part(&follower, kept, &what), kept, "{what}");
                    assert!(newest_snapshot(&follower) < to.0, "{what}: it is of what was cut off");
                    before += 1;
                }
                follower.crash(is_power);
                follower.start();
                let found = assert_part(&follower, kept, &what);
                if !is_over {
                    after += 1;
                    continue;
                }
                assert_eq!(found, kept, "{what}: it was over");
                follower.act(|partition, _| partition.fetch_given_up());
                append_others(&mut follower, kept, is_power, &what);
            }
        }
    }
    assert!(before > 20 && after > 300, "both happen: {before} {after}");
}

/// More operations than a cut takes.
const CUT_STEPS_MAX: usize = 60;

fn newest_snapshot(follower: &Follower) -> i64 {
    let files = follower.disk.files_of("t-0");
    let snapshots = files.keys().filter_map(|name| name.strip_suffix(".snapshot")?.parse().ok());
    snapshots.max().unwrap_or(-1)
}

/// What is appended after a cut and is durable is there after another crash; of the rest there is a part, without a hole.
fn append_others(follower: &mut Follower, kept: usize, is_power: bool, what: &str) {
    let mut expected = batches()[..kept].to_vec();
    let mut next = expected.last().map_or(0, |batch| batch.2);
    let mut append = |follower: &mut Follower, sizes: &[u8]| {
        let mut bytes = Vec::new();
        for &size in sizes {
            bytes.push(batch(7, next, size));
            expected.push((7, next, next + i64::from(size)));
            next += i64::from(size);
        }
        assert_eq!(follower.fetch(brings(&bytes)), Taken::Appended, "{what}");
    };
    if kept.is_multiple_of(2) {
        append(follower, &[2, 1]);
        follower.settle();
        append(follower, &[1]);
        follower.settle();
    }
    if kept.is_multiple_of(4) {
        follower.checkpoint();
    }
    let unsynced = [1, 3, 2, 2, 3, 3, 1, 2];
    append(follower, &unsynced);
    for _ in 0..kept * 3 {
        follower.step();
    }
    follower.crash(is_power);
    follower.start();
    let (_, _, found) = follower.content();
    assert!(expected.starts_with(&found), "{what}: {found:?}");
    assert!(found.len() >= expected.len() - unsynced.len(), "{what}: {found:?}");
    assert_epochs(follower, &found, what);
}

/// A log begins anew elsewhere, with a crash after each operation.
#[test]
fn a_crash_at_each_step_of_a_new_beginning() {
    let (mut over, mut cut_short) = (0, 0);
    for (seed, checkpoint_after) in (0..).zip([None, Some(2), Some(8)]) {
        for start in [5, 40] {
            for steps in 0..CUT_STEPS_MAX {
                let is_power = steps % 2 == 0;
                let mut follower = follower(seed * 1_000 + steps as u64, checkpoint_after);
                let taken = follower.fetch(begins_at(start));
                assert_eq!(taken, Taken::Truncating { to: Offset(start), loses: false });
                let until = follower.ended + steps;
                while follower.ended < until && follower.step() {}
                let what =
                    format!("from {start}, checkpoint {checkpoint_after:?}, crash after {steps}");
                let is_over = follower.act(|partition, _| partition.next_fetch()).is_some();
                if is_over {
                    assert_eq!(follower.content(), (start, start, Vec::new()), "{what}");
                }
                let goes_on = is_over && steps % 2 == 0;
                if goes_on {
                    follower.act(|partition, _| partition.fetch_given_up());
                    let taken = follower.fetch(brings(&[batch(4, start, 3)]));
                    assert_eq!(taken, Taken::Appended, "{what}");
                    follower.settle();
                }
                follower.crash(is_power);
                follower.start();
                if goes_on {
                    let expected = vec![(4, start, start + 3)];
                    assert_eq!(follower.content(), (start, start + 3, expected), "{what}");
                    over += 1;
                    break;
                }
                cut_short += 1;
                // It is a part of what it was, or there is nothing; its leader has it begin anew again.
                assert_part(&follower, 0, &what);
            }
        }
    }
    assert!(over == 6 && cut_short > 50, "both happen: {over} {cut_short}");
}

/// An epoch in which nothing was appended is forgotten with what comes after it (KAFKA-10706), for good.
#[test]
fn an_epoch_without_records_is_cut_off() {
    let mut follower = follower(1, None);
    follower.act(|partition, context| partition.metadata_changed(view(BrokerId(1), 5), context));
    follower.settle();
    assert_eq!(follower.epochs().last(), Some(&(5, 17)), "it leads");
    follower.checkpoint();
    follower.act(|partition, context| partition.metadata_changed(view(BrokerId(2), 6), context));
    let taken = follower.fetch(diverges(3, 17));
    assert_eq!(taken, Taken::Truncating { to: Offset(17), loses: false });
    follower.settle();
    assert_part(&follower, SIZES.len(), "cut");
    follower.crash(false);
    follower.known.clean = true;
    follower.start();
    assert_part(&follower, SIZES.len(), "opened as after a clean stop");
}

/// The same where nothing was ever appended, and there is no file that could be cut off.
#[test]
fn an_epoch_of_an_empty_log_is_cut_off() {
    let mut follower = Follower::new(1);
    follower.act(|partition, context| partition.metadata_changed(view(BrokerId(1), 5), context));
    assert_eq!(follower.epochs(), [(5, 0)]);
    follower.act(|partition, context| partition.metadata_changed(view(BrokerId(2), 6), context));
    let taken = follower.fetch(diverges(3, 0));
    assert_eq!(taken, Taken::Truncating { to: Offset(0), loses: false });
    assert_eq!(follower.epochs(), []);
    assert!(follower.act(|partition, _| partition.next_fetch()).is_some(), "it goes on at once");
}

/// What the metadata come to while a log is being cut off counts when that is over.
#[test]
fn a_follower_that_is_to_lead_while_its_log_is_cut_off() {
    let mut follower = follower(1, Some(4));
    let (epoch, _, end) = batches()[4];
    follower.fetch(diverges(epoch, end));
    follower.act(|partition, context| partition.metadata_changed(view(BrokerId(1), 5), context));
    assert!(follower.partition().replica().leader().is_none(), "it waits");
    follower.settle();
    assert!(follower.partition().replica().leader().is_some());
    let mut epochs: Vec<_> = batches()[..5].iter().map(|batch| (batch.0, batch.1)).collect();
    epochs.dedup_by_key(|entry| entry.0);
    epochs.push((5, end));
    assert_eq!(follower.epochs(), epochs);
}

/// Each mutant that these tests are for is noticed by one of them.
#[cfg(feature = "mutants")]
#[test]
fn mutants_are_noticed() {
    for (id, test) in [
        ("M14", "what_is_damaged_or_not_next_is_not_taken"),
        ("M15", "what_is_damaged_or_not_next_is_not_taken"),
        ("M16", "an_epoch_of_an_empty_log_is_cut_off"),
        ("M17", "a_crash_at_each_step_of_a_cut"),
        ("M18", "a_crash_at_each_step_of_a_cut"),
        ("S2", "a_crash_at_each_step_of_a_cut"),
    ] {
        crate::support::assert_noticed(id, &format!("followers::{test}"));
    }
}
