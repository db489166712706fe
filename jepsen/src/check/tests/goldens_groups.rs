//! Each anomaly of groups, and what looks like one and is none.

use super::*;
use crate::history::{Commit, Synced};

const GROUP: &str = "g";

fn commit(generation: i32, offset: i64) -> Call {
    Call::Commit(Commit { group: GROUP.into(), generation, partition: A, offset })
}

fn fetch() -> Call {
    Call::FetchOffset { group: GROUP.into(), partition: A }
}

fn sync(scene: &mut Scene, owner: &str, generation: i32) {
    let synced = Synced { owner: owner.into(), generation, partitions: vec![A] };
    let call = Call::Sync { group: GROUP.into(), generation };
    scene.call(2, call, Answer::Synced(synced));
}

/// A group that has processed the first of three records, and committed it.
fn one_of_three() -> Scene {
    let mut scene = Scene::new();
    scene.put(A, 0, &[10, 11, 12]);
    sync(&mut scene, "m1", 1);
    scene.process(2, &[(0, 10)]);
    scene.call(2, commit(1, 1), Answer::Done);
    scene.read_all(A, &[(0, 10), (1, 11), (2, 12)]);
    scene
}

#[test]
fn a_group_that_does_as_it_should() {
    let mut scene = one_of_three();
    scene.process(2, &[(1, 11)]);
    // It crashes before it commits, and the next one does the same again.
    sync(&mut scene, "m2", 2);
    scene.call(3, fetch(), Answer::Offset(Some(1)));
    scene.process(3, &[(1, 11), (2, 12)]);
    scene.call(3, commit(2, 3), Answer::Done);
    scene.note(0, Note::Drained { group: GROUP.into(), partition: A, offset: 3 });
    assert_eq!(scene.kinds(), []);
}

#[test]
fn commit_past_unprocessed() {
    let mut scene = one_of_three();
    scene.process(2, &[(2, 12)]);
    let operation = scene.invoke(2, commit(1, 3));
    scene.info(operation);
    // The consumer passed over a record, too.
    assert_eq!(scene.kinds(), [Kind::PollSkip, Kind::CommitPastUnprocessed]);
}

#[test]
fn of_a_record_that_was_appended_twice_one_copy_may_be_deleted() {
    let mut scene = Scene::new();
    let first = scene.send(1, A, &[10]);
    let second = scene.send(1, A, &[10]);
    scene.sent(second, 1);
    scene.sent(first, 0);
    scene.poll(1, A, &[(0, 10), (1, 10)]);
    let delete = Call::DeleteRecords { partition: A, offset: 1 };
    scene.call(3, delete, Answer::LogStart(1));
    sync(&mut scene, "m1", 1);
    scene.process(2, &[(1, 10)]);
    scene.call(2, commit(1, 2), Answer::Done);
    scene.read_all(A, &[(1, 10)]);
    assert_eq!(scene.kinds(), []);
}

#[test]
fn what_was_read_and_not_processed_is_not_processed() {
    let mut scene = one_of_three();
    let operation = scene.invoke(2, Call::Poll { group: Some(GROUP.into()) });
    let read = Read { partition: A, records: vec![(1, Value(11))], ..Read::default() };
    scene.ok(operation, Answer::Polled(Polled { reads: vec![read], unprocessed: true }));
    scene.call(2, commit(1, 2), Answer::Done);
    assert_eq!(scene.kinds(), [Kind::CommitPastUnprocessed]);
}

#[test]
fn commit_went_back_within_a_generation() {
    let mut scene = one_of_three();
    let mut next = scene.clone();
    scene.call(2, commit(1, 0), Answer::Done);
    assert_eq!(scene.kinds(), [Kind::CommitWentBack]);
    sync(&mut next, "m2", 2);
    next.call(2, commit(2, 0), Answer::Done);
    assert_eq!(next.kinds(), []);
}

#[test]
fn zombie_commit() {
    let mut scene = one_of_three();
    let before = scene.invoke(2, commit(1, 1));
    sync(&mut scene, "m2", 2);
    scene.ok(before, Answer::Done);
    assert_eq!(scene.kinds(), []);
    scene.call(2, commit(1, 1), Answer::Done);
    assert_eq!(scene.kinds(), [Kind::ZombieCommit]);
}

#[test]
fn lost_commit_and_phantom_offset() {
    for (offset, kind) in [(None, Kind::LostCommit), (Some(3), Kind::PhantomOffset)] {
        let mut scene = one_of_three();
        scene.call(3, fetch(), Answer::Offset(offset));
        assert_eq!(scene.kinds(), [kind]);
    }
}

#[test]
fn deleted_offsets_are_gone() {
    let delete = Call::DeleteOffset { group: GROUP.into(), partition: A };
    for call in [delete, Call::DeleteGroup { group: GROUP.into() }] {
        let mut scene = one_of_three();
        scene.call(9, call, Answer::Done);
        scene.call(3, fetch(), Answer::Offset(None));
        assert_eq!(scene.kinds(), []);
    }
}

#[test]
fn unprocessed() {
    let mut scene = one_of_three();
    let drained = Note::Drained { group: GROUP.into(), partition: A, offset: 3 };
    let mut began_later = scene.clone();
    scene.note(0, drained.clone());
    assert_eq!(scene.kinds(), [Kind::Unprocessed]);
    began_later.note(2, Note::Begin { group: GROUP.into(), partition: A, offset: 3 });
    began_later.note(0, drained);
    assert_eq!(began_later.kinds(), []);
}

#[test]
fn two_owners() {
    let mut scene = one_of_three();
    sync(&mut scene, "m1", 2);
    let mut next = scene.clone();
    sync(&mut scene, "m2", 2);
    assert_eq!(scene.kinds(), [Kind::TwoOwners]);
    sync(&mut next, "m1", 2);
    sync(&mut next, "m2", 3);
    assert_eq!(next.kinds(), []);
}

#[test]
fn generation_went_back() {
    let mut scene = one_of_three();
    sync(&mut scene, "m1", 5);
    let mut forgotten = scene.clone();
    sync(&mut scene, "m1", 4);
    assert_eq!(scene.kinds(), [Kind::GenerationWentBack]);
    // An empty group is forgotten, and begins anew.
    sync(&mut forgotten, "m3", 1);
    sync(&mut forgotten, "m3", 2);
    assert_eq!(forgotten.kinds(), []);
}

/// The group's generations went up to 4, and it is at its second again.
fn begun_anew(mut scene: Scene, joined: bool) -> Vec<Kind> {
    if joined {
        scene.call(3, Call::Join { group: GROUP.into() }, Answer::Joined { generation: 1 });
    }
    // Its first generation came to nothing.
    sync(&mut scene, "m2", 2);
    scene.call(2, commit(2, 1), Answer::Done);
    sync(&mut scene, "m3", 4);
    scene.kinds()
}

#[test]
fn a_group_that_was_forgotten_begins_anew() {
    let mut scene = one_of_three();
    sync(&mut scene, "m1", 4);
    let mut deleted = scene.clone();
    deleted.call(9, Call::DeleteGroup { group: GROUP.into() }, Answer::Done);
    for joined in [false, true] {
        assert_eq!(begun_anew(deleted.clone(), joined), []);
    }
    // Who was told of its first generation knows that it was forgotten; whether it was to be is seen by its offsets.
    assert_eq!(begun_anew(scene.clone(), true), []);
    let kinds = [Kind::ZombieCommit, Kind::TwoOwners, Kind::GenerationWentBack];
    assert_eq!(begun_anew(scene, false), kinds);
}

#[test]
fn a_group_without_offsets_may_be_forgotten() {
    let mut scene = Scene::new();
    sync(&mut scene, "m1", 4);
    let late = scene.invoke(2, Call::Sync { group: GROUP.into(), generation: 4 });
    assert_eq!(begun_anew(scene.clone(), false), []);
    // What somebody who asked before is told after it began anew is of before.
    scene.call(3, Call::Join { group: GROUP.into() }, Answer::Joined { generation: 1 });
    let synced = Synced { owner: "m1".into(), generation: 4, partitions: vec![A] };
    scene.ok(late, Answer::Synced(synced));
    sync(&mut scene, "m2", 4);
    assert_eq!(scene.kinds(), []);
}

#[test]
fn offsets_that_expired_are_set_anew() {
    let mut scene = one_of_three();
    scene.process(2, &[(1, 11)]);
    scene.call(2, commit(1, 2), Answer::Done);
    let mut without = scene.clone();
    scene.history.header.rules.offsets_expire = true;
    scene.call(3, fetch(), Answer::Offset(None));
    for scene in [&mut scene, &mut without] {
        scene.call(2, commit(1, 1), Answer::Done);
    }
    assert_eq!(scene.kinds(), []);
    assert_eq!(without.kinds(), [Kind::CommitWentBack]);
}

#[test]
fn what_is_gone_does_not_come_back() {
    let mut scene = one_of_three();
    scene.call(9, Call::DeleteOffset { group: GROUP.into(), partition: A }, Answer::Done);
    let mut again = scene.clone();
    scene.call(3, fetch(), Answer::Offset(Some(1)));
    assert_eq!(scene.kinds(), [Kind::OffsetCameBack]);
    // Somebody who has set it meanwhile may not know.
    let late = again.invoke(2, commit(1, 1));
    again.info(late);
    again.call(3, fetch(), Answer::Offset(Some(1)));
    assert_eq!(again.kinds(), []);
}

#[test]
fn a_group_that_never_begins_a_new_generation_has_two_owners() {
    let mut scene = one_of_three();
    sync(&mut scene, "m2", 1);
    assert_eq!(scene.kinds(), [Kind::TwoOwners]);
}
