//! Each anomaly of records, and what looks like one and is none.

use super::*;
use crate::history::{Bad, BadReason, Fault, FaultStage};

#[test]
fn nothing_is_wrong_with_nothing() {
    assert_eq!(Scene::new().kinds(), []);
}

#[test]
fn what_was_sent_is_read() {
    let mut scene = Scene::new();
    scene.put(A, 0, &[10, 11]);
    scene.put(A, 2, &[12]);
    scene.poll(2, A, &[(0, 10)]);
    scene.poll(2, A, &[(1, 11), (2, 12)]);
    scene.read_all(A, &[(0, 10), (1, 11), (2, 12)]);
    assert_eq!(scene.kinds(), []);
}

#[test]
fn lost_write() {
    let mut scene = Scene::new();
    scene.put(A, 0, &[10]);
    scene.put(A, 1, &[11]);
    scene.put(A, 2, &[12]);
    let mut hole = scene.clone();
    hole.read_all(A, &[(0, 10), (2, 12)]);
    assert_eq!(hole.kinds(), [Kind::LostWrite]);
    // It is above all that can be read.
    let mut tail = scene.clone();
    tail.poll(2, A, &[(0, 10), (1, 11), (2, 12)]);
    tail.read_all(A, &[(0, 10), (1, 11)]);
    assert_eq!(tail.kinds(), [Kind::LostWrite]);
    // Acknowledged while it was read, it need not have been there.
    let operation = scene.send(1, A, &[13]);
    let since = scene.history.events.len() as u64;
    scene.poll(99, A, &[(0, 10), (1, 11), (2, 12)]);
    scene.sent(operation, 3);
    scene.note(99, Note::Complete { partition: A, start: 0, end: 3, since });
    assert_eq!(scene.kinds(), [Kind::Unseen]);
}

#[test]
fn half_of_a_batch_is_lost() {
    let mut scene = Scene::new();
    let operation = scene.send(1, A, &[10, 11]);
    scene.info(operation);
    scene.poll(2, A, &[(0, 10)]);
    scene.read_all(A, &[(0, 10)]);
    assert_eq!(scene.kinds(), [Kind::DirtyRead]);
}

#[test]
fn unseen() {
    let mut scene = Scene::new();
    scene.put(A, 0, &[10]);
    assert_eq!(scene.kinds(), [Kind::Unseen]);
}

#[test]
fn dirty_read() {
    let mut scene = Scene::new();
    let operation = scene.send(1, A, &[10]);
    scene.info(operation);
    scene.poll(2, A, &[(0, 10)]);
    scene.read_all(A, &[]);
    assert_eq!(scene.kinds(), [Kind::DirtyRead]);
}

#[test]
fn inconsistent_offsets() {
    let mut scene = Scene::new();
    scene.put(A, 0, &[10]);
    scene.put(A, 1, &[11]);
    scene.poll(2, A, &[(0, 10), (1, 11)]);
    scene.poll(3, A, &[(0, 11), (1, 10)]);
    scene.read_all(A, &[(0, 10), (1, 11)]);
    assert_eq!(scene.kinds(), [Kind::InconsistentOffsets]);
}

#[test]
fn duplicate() {
    let mut scene = Scene::new();
    let operation = scene.send_in_sequence(0, &[10]);
    scene.sent(operation, 0);
    scene.read_all(A, &[(0, 10), (1, 10)]);
    assert_eq!(scene.kinds(), [Kind::Duplicate]);
}

#[test]
fn the_duplicate_of_an_idempotent_producer_is_told_its_first_offset() {
    let mut scene = Scene::new();
    let first = scene.send_in_sequence(0, &[10]);
    scene.poll(2, A, &[(0, 10)]);
    scene.sent(first, 1);
    scene.read_all(A, &[(0, 10)]);
    assert_eq!(scene.kinds(), [Kind::Duplicate]);
}

#[test]
fn a_plain_producer_may_repeat_itself() {
    let mut scene = Scene::new();
    let first = scene.send(1, A, &[10]);
    scene.info(first);
    let second = scene.send(1, A, &[10]);
    scene.sent(second, 1);
    let mut twice = scene.clone();
    twice.read_all(A, &[(0, 10), (1, 10)]);
    assert_eq!(twice.kinds(), []);
    scene.read_all(A, &[(0, 10), (1, 10), (2, 10)]);
    assert_eq!(scene.kinds(), [Kind::Duplicate]);
}

#[test]
fn phantom_read() {
    let mut scene = Scene::new();
    scene.poll(2, A, &[(0, 77)]);
    assert_eq!(scene.kinds(), [Kind::PhantomRead]);
}

#[test]
fn aborted_read() {
    let mut scene = Scene::new();
    let operation = scene.send(1, A, &[10]);
    scene.fail(operation);
    scene.poll(2, A, &[(0, 10)]);
    assert_eq!(scene.kinds(), [Kind::AbortedRead]);
}

#[test]
fn corrupt_and_stray_reads() {
    let mut scene = Scene::new();
    scene.put(A, 0, &[10]);
    scene.read_all(A, &[(0, 10)]);
    let mut moved = scene.clone();
    moved.poll(2, B, &[(0, 10)]);
    assert_eq!(moved.kinds(), [Kind::StrayRead]);
    let reasons = [
        (BadReason::Corrupt("checksum".into()), Kind::CorruptRead),
        (BadReason::Stray { value: Value(10), home: "c-0".into() }, Kind::StrayRead),
    ];
    for (reason, kind) in reasons {
        let mut scene = scene.clone();
        let operation = scene.invoke(2, Call::Poll { group: None });
        let bad = vec![Bad { offset: 0, reason }];
        let read = Read { partition: A, bad, ..Read::default() };
        scene.ok(operation, Answer::Polled(Polled { reads: vec![read], unprocessed: false }));
        assert_eq!(scene.kinds(), [kind]);
    }
}

/// Three records that everybody can read.
fn three() -> Scene {
    let mut scene = Scene::new();
    for value in 0..3 {
        scene.put(A, i64::try_from(value).expect("it is small"), &[10 + value]);
    }
    scene.read_all(A, &[(0, 10), (1, 11), (2, 12)]);
    scene
}

#[test]
fn skipped_and_repeated_reads() {
    let polled = |polls: &[&[(i64, u64)]]| {
        let mut scene = three();
        scene.seek(2, A, 0);
        for records in polls {
            scene.poll(2, A, records);
        }
        scene.kinds()
    };
    assert_eq!(polled(&[&[(0, 10)], &[(1, 11), (2, 12)]]), []);
    assert_eq!(polled(&[&[(0, 10)], &[(2, 12)]]), [Kind::PollSkip]);
    assert_eq!(polled(&[&[(1, 11)]]), [Kind::PollSkip]);
    assert_eq!(polled(&[&[(0, 10), (1, 11)], &[(1, 11), (2, 12)]]), [Kind::NonmonotonicPoll]);
    assert_eq!(polled(&[&[(0, 10), (2, 12)]]), [Kind::IntPollSkip]);
    assert_eq!(polled(&[&[(0, 10), (2, 12), (1, 11)]]), [Kind::IntNonmonotonicPoll]);
}

#[test]
fn who_seeks_or_crashes_begins_anew() {
    let mut scene = three();
    scene.poll(2, A, &[(0, 10), (1, 11), (2, 12)]);
    scene.seek(2, A, 1);
    scene.poll(2, A, &[(1, 11)]);
    scene.note(2, Note::Crash);
    scene.poll(2, A, &[(0, 10)]);
    scene.note(2, Note::Seek { partition: A, offset: None });
    scene.poll(2, A, &[(2, 12)]);
    assert_eq!(scene.kinds(), []);
}

#[test]
fn read_above_high_watermark_and_deleted_read() {
    let reads = [
        (Probed { high_watermark: Some(2), ..Probed::default() }, Kind::ReadAboveHighWatermark),
        (Probed { log_start: Some(1), ..Probed::default() }, Kind::DeletedRead),
    ];
    for (probed, kind) in reads {
        let mut scene = Scene::new();
        let delete = Call::DeleteRecords { partition: A, offset: 1 };
        scene.put(A, 0, &[10, 11, 12]);
        scene.read_all(A, &[(0, 10), (1, 11), (2, 12)]);
        let operation = scene.invoke(2, Call::Poll { group: None });
        let records = vec![(0, Value(10)), (1, Value(11)), (2, Value(12))];
        let read = Read { partition: A, records, probed, ..Read::default() };
        let delete = scene.invoke(3, delete);
        scene.ok(operation, Answer::Polled(Polled { reads: vec![read], unprocessed: false }));
        scene.info(delete);
        let kinds = scene.kinds();
        assert!(kinds.contains(&kind), "{kinds:?}");
    }
}

#[test]
fn sends_out_of_order() {
    let mut scene = Scene::new();
    let first = scene.send_in_sequence(0, &[10]);
    let second = scene.send_in_sequence(1, &[11]);
    scene.sent(second, 0);
    scene.sent(first, 1);
    scene.read_all(A, &[(0, 11), (1, 10)]);
    assert_eq!(scene.kinds(), [Kind::NonmonotonicSend]);
}

#[test]
fn sequences_begin_at_0_and_have_no_gaps() {
    let mut scene = Scene::new();
    let first = scene.send_in_sequence(0, &[10]);
    scene.info(first);
    let second = scene.send_in_sequence(1, &[11]);
    scene.sent(second, 1);
    scene.read_all(A, &[(1, 11)]);
    assert_eq!(scene.kinds(), []);
    let third = scene.send_in_sequence(3, &[12]);
    scene.sent(third, 2);
    scene.read_all(A, &[(1, 11), (2, 12)]);
    assert_eq!(scene.kinds(), [Kind::SequenceGap]);
}

#[test]
fn a_past_epoch_is_over() {
    let mut scene = Scene::new();
    let late = scene.send_in_epoch(0, 0, &[10]);
    let new = scene.send_in_epoch(1, 0, &[11]);
    scene.sent(new, 0);
    // It was under way, and may have come first.
    scene.sent(late, 1);
    scene.read_all(A, &[(0, 11), (1, 10)]);
    assert_eq!(scene.kinds(), []);
    let zombie = scene.send_in_epoch(0, 1, &[12]);
    scene.sent(zombie, 2);
    scene.read_all(A, &[(0, 11), (1, 10), (2, 12)]);
    assert_eq!(scene.kinds(), [Kind::ZombieSend]);
}

#[test]
fn a_batch_out_of_order() {
    let mut scene = Scene::new();
    let operation = scene.send(1, A, &[10, 11]);
    scene.info(operation);
    scene.read_all(A, &[(0, 10), (2, 11)]);
    assert_eq!(scene.kinds(), [Kind::IntNonmonotonicSend]);
}

#[test]
fn realtime_order() {
    let mut scene = Scene::new();
    scene.put(A, 1, &[10]);
    scene.put(A, 0, &[11]);
    scene.read_all(A, &[(0, 11), (1, 10)]);
    assert_eq!(scene.kinds(), [Kind::RealtimeOrder]);
}

#[test]
fn bounds_go_forward() {
    let high = |offset| Probed { high_watermark: Some(offset), ..Probed::default() };
    let epoch = |epoch| Probed { leader_epoch: Some(epoch), ..Probed::default() };
    let start = |offset| Probed { log_start: Some(offset), ..Probed::default() };
    let probes = |deletes, probes: [Probed; 2]| {
        let mut scene = Scene::new();
        if deletes {
            scene.create("a", "retention.ms", "1000");
        }
        probes.into_iter().for_each(|probed| scene.probe(probed));
        scene.kinds()
    };
    assert_eq!(probes(true, [high(3), high(3)]), []);
    assert_eq!(probes(true, [high(3), high(2)]), [Kind::HighWatermarkWentBack]);
    assert_eq!(probes(true, [epoch(3), epoch(2)]), [Kind::LeaderEpochWentBack]);
    // Retention may be cut short.
    assert_eq!(probes(true, [start(3), start(2)]), []);
    let mut deleted = Scene::new();
    let operation = deleted.invoke(9, Call::DeleteRecords { partition: A, offset: 3 });
    deleted.info(operation);
    [start(3), start(2)].into_iter().for_each(|probed| deleted.probe(probed));
    assert_eq!(deleted.kinds(), [Kind::LogStartWentBack]);
    assert_eq!(probes(false, [start(0), start(2)]), [Kind::DeletedTooMuch]);
    let both = Probed { log_start: Some(2), high_watermark: Some(1), ..Probed::default() };
    assert_eq!(probes(true, [high(0), both]), [Kind::BoundsOutOfOrder]);
}

#[test]
fn two_at_the_same_time_may_be_told_in_any_order() {
    let mut scene = Scene::new();
    let slow = scene.invoke(2, Call::Probe { partition: A });
    scene.probe(Probed { high_watermark: Some(3), ..Probed::default() });
    scene.ok(slow, Answer::Probed(Probed { high_watermark: Some(1), ..Probed::default() }));
    assert_eq!(scene.kinds(), []);
}

#[test]
fn high_watermark_behind_ack() {
    let mut scene = Scene::new();
    scene.put(A, 0, &[10, 11]);
    scene.probe(Probed { high_watermark: Some(1), ..Probed::default() });
    scene.read_all(A, &[(0, 10), (1, 11)]);
    assert_eq!(scene.kinds(), [Kind::HighWatermarkBehindAck]);
}

#[test]
fn what_was_deleted_needs_not_be_there() {
    let mut scene = Scene::new();
    scene.put(A, 0, &[10, 11, 12]);
    let delete = Call::DeleteRecords { partition: A, offset: 2 };
    scene.call(3, delete, Answer::LogStart(2));
    scene.read_all(A, &[(2, 12)]);
    assert_eq!(scene.kinds(), []);
    // That is more than was asked for.
    scene.probe(Probed { log_start: Some(3), ..Probed::default() });
    assert_eq!(scene.kinds(), [Kind::DeletedTooMuch]);
}

#[test]
fn the_last_of_each_key_survives_compaction() {
    let mut scene = Scene::new();
    scene.create("a", "cleanup.policy", "compact");
    scene.put_keyed(0, &[10, 11], &[1, 2], &[]);
    scene.put_keyed(2, &[12, 13], &[1, 3], &[1]);
    let mut right = scene.clone();
    right.read_all(A, &[(1, 11), (2, 12)]);
    assert_eq!(right.kinds(), []);
    scene.read_all(A, &[(2, 12), (3, 13)]);
    assert_eq!(scene.kinds(), [Kind::LostWrite]);
}

#[test]
fn tombstones_stay_as_long_as_they_are_to() {
    for (days, expected) in [(1_u64, vec![]), (1_000, vec![Kind::LostWrite])] {
        let mut scene = Scene::new();
        scene.create("a", "cleanup.policy", "compact");
        scene.create("a", "delete.retention.ms", &(days * 86_400_000).to_string());
        scene.put_keyed(0, &[10, 11], &[1, 2], &[1]);
        scene.read_all(A, &[(0, 10)]);
        assert_eq!(scene.kinds(), expected);
    }
}

#[test]
fn a_deleted_topic_takes_its_records_along_and_no_others() {
    let mut scene = Scene::new();
    scene.put(A, 0, &[10]);
    let delete = Call::DeleteTopic { topic: "a".into(), id: Some("1".into()) };
    scene.call(9, delete, Answer::Done);
    let again = scene.partition("a", "3");
    scene.put(again, 0, &[20]);
    let mut right = scene.clone();
    right.read_all(again, &[(0, 20)]);
    assert_eq!(right.kinds(), []);
    let mut lost = scene.clone();
    lost.read_all(again, &[]);
    assert_eq!(lost.kinds(), [Kind::LostWrite]);
    // The old one's records are not the new one's.
    scene.read_all(again, &[(0, 20), (1, 10)]);
    assert_eq!(scene.kinds(), [Kind::StrayRead]);
}

#[test]
fn relaxed_topics_may_lose_with_power_only() {
    let mut scene = Scene::new();
    scene.create("a", "flush.messages", "1000");
    scene.put(A, 0, &[10, 11]);
    let mut lost = scene.clone();
    lost.read_all(A, &[(0, 10)]);
    assert_eq!(lost.kinds(), [Kind::LostWrite]);
    let fault = Fault {
        kind: "power loss".into(),
        target: "1".into(),
        stage: FaultStage::Effective,
        forgets: true,
    };
    scene.note(0, Note::Fault(fault));
    scene.put(A, 1, &[12]);
    scene.read_all(A, &[(0, 10), (1, 12)]);
    assert_eq!(scene.kinds(), []);
}

#[test]
fn what_is_no_history_is_unusable() {
    let reason = |scene: &Scene| check(&scene.history).expect_err("it is none").reason;
    let mut twice = Scene::new();
    twice.put(A, 0, &[1]);
    twice.sent(1, 0);
    assert_eq!(reason(&twice), "operation 1 ends twice");
    let mut unknown = Scene::new();
    unknown.poll(2, Partition(7), &[]);
    assert_eq!(reason(&unknown), "partition 7 was not named");
    let mut never = Scene::new();
    never.process_of.insert(9, 1);
    never.fail(9);
    assert_eq!(reason(&never), "operation 9 ends, and never began");
}

#[test]
fn of_a_record_that_was_appended_twice_compaction_keeps_the_last() {
    let mut scene = Scene::new();
    scene.create("a", "cleanup.policy", "compact");
    scene.put_keyed(0, &[10], &[1], &[]);
    scene.put_keyed(1, &[11], &[1], &[]);
    scene.put_keyed(2, &[10], &[1], &[]);
    scene.seek(3, A, 0);
    scene.poll(3, A, &[(0, 10), (1, 11), (2, 10)]);
    let mut lost = scene.clone();
    scene.seek(4, A, 0);
    scene.poll(4, A, &[(2, 10)]);
    scene.read_all(A, &[(2, 10)]);
    assert_eq!(scene.kinds(), []);
    lost.read_all(A, &[(1, 11)]);
    assert_eq!(lost.kinds(), [Kind::LostWrite]);
}

#[test]
fn a_tombstone_of_which_nobody_knows_may_have_removed_what_was_before_it() {
    for (stays, expected) in [("500", vec![]), ("86400000000", vec![Kind::LostWrite])] {
        let mut scene = Scene::new();
        scene.create("a", "cleanup.policy", "compact");
        scene.create("a", "delete.retention.ms", stays);
        scene.put_keyed(0, &[10], &[1], &[]);
        scene.put_keyed(1, &[11], &[2], &[]);
        let values = vec![Value(12)];
        let (keys, tombstones) = (vec![1], vec![0]);
        let send = Send { partition: A, acks: -1, values, keys, tombstones, ..Send::default() };
        let operation = scene.invoke(1, Call::Send(send));
        scene.info(operation);
        scene.read_all(A, &[(1, 11)]);
        assert_eq!(scene.kinds(), expected);
    }
}
