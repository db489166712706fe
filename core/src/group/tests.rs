//! What happens in what order while something is being written down.

use alloc::{
    string::{String, ToString},
    vec,
    vec::Vec,
};

use bytes::Bytes;

use super::{
    CommittedOffset, Coordinator, Group, GroupContext, GroupSettings, GroupState, OffsetKey,
    Outbox, Write, coordinator::settings, join::Joining, offsets::Committer, requests::Commit,
};
use crate::{
    config::Settings,
    machine::{ConnectionId, Now, Random},
    session::RequestId,
    types::{ErrorCode, Instant, Offset, Timestamp},
    wire::{
        Response,
        messages::{
            join_group::{JoinGroupRequest, JoinGroupRequestProtocol},
            offset_commit::OffsetCommitResponse,
        },
    },
};

const RETENTION_MS: i64 = 60_000;
const REQUEST: RequestId = RequestId { connection: ConnectionId(1), number: 1 };

fn at(timestamp: i64) -> Now {
    Now { instant: Instant(0), timestamp: Timestamp(timestamp) }
}

/// What a coordinator says when it is asked something.
fn ask(
    coordinator: &mut Coordinator,
    now: Now,
    act: impl FnOnce(&mut Coordinator, &mut GroupContext<'_>),
) -> Outbox {
    let mut random = Random::new(1);
    let mut out = Outbox::default();
    let settings =
        GroupSettings { offsets_retention_ms: RETENTION_MS, ..settings(&Settings::defaults()) };
    let mut context = GroupContext { now, settings, random: &mut random, out: &mut out };
    act(coordinator, &mut context);
    out
}

fn expire(coordinator: &mut Coordinator, now: Now) -> Vec<Write> {
    let act = |coordinator: &mut Coordinator, context: &mut GroupContext<'_>| {
        coordinator.expire_offsets(context);
    };
    ask(coordinator, now, act).writes
}

fn begin(coordinator: &mut Coordinator, mut writes: Vec<Write>) -> u64 {
    assert_eq!(writes.len(), 1, "one thing is written: {writes:?}");
    coordinator.begin_write(writes.remove(0), Timestamp(0)).0
}

fn end(coordinator: &mut Coordinator, token: u64, result: Result<(), ErrorCode>) {
    ask(coordinator, at(0), |coordinator, context| {
        coordinator.write_ended(token, result, context);
    });
}

fn serving() -> Coordinator {
    let mut coordinator = Coordinator::new(0);
    coordinator.begin_serving(at(0));
    coordinator
}

fn key() -> OffsetKey {
    OffsetKey { topic: "t".into(), partition: 0 }
}

/// Somebody who assigns itself commits.
fn commit(coordinator: &mut Coordinator, offset: i64, now: Now) -> Outbox {
    let committed = CommittedOffset {
        offset: Offset(offset),
        leader_epoch: None,
        metadata: String::new(),
        commit_timestamp: now.timestamp,
        expire_timestamp: None,
        topic_id: None,
    };
    let commit = Commit {
        request: REQUEST,
        version: 9,
        group_id: "g",
        committer: Committer { member_id: "", instance_id: None, generation: -1 },
        response: OffsetCommitResponse::default(),
        offsets: vec![(key(), committed)],
    };
    ask(coordinator, now, |coordinator, context| coordinator.commit_offsets(commit, context))
}

fn join(coordinator: &mut Coordinator) -> ErrorCode {
    let protocol = JoinGroupRequestProtocol { name: "range".into(), metadata: Bytes::new() };
    let body = JoinGroupRequest {
        group_id: "g".into(),
        session_timeout_ms: 10_000,
        protocol_type: "consumer".into(),
        protocols: vec![protocol],
        ..Default::default()
    };
    let joining = Joining {
        request: REQUEST,
        version: 9,
        client_id: "client".to_string(),
        client_host: String::new(),
        body,
    };
    let act = |coordinator: &mut Coordinator, context: &mut GroupContext<'_>| {
        coordinator.join_group(joining, context);
    };
    let out = ask(coordinator, at(0), act);
    let Some((_, Response::JoinGroup(answer))) = out.answers.first() else {
        panic!("it is answered: {out:?}");
    };
    ErrorCode::from_code(answer.error_code).expect("it is an error of Kafka's")
}

fn committed(coordinator: &Coordinator) -> Option<i64> {
    coordinator.group("g")?.offset(&key()).map(|found| found.offset.0)
}

#[test]
fn what_is_being_committed_does_not_expire() {
    let mut coordinator = serving();
    let first = commit(&mut coordinator, 5, at(0));
    let first = begin(&mut coordinator, first.writes);
    assert_eq!(expire(&mut coordinator, at(0)), [], "the group is about to have an offset");
    end(&mut coordinator, first, Ok(()));
    let late = at(RETENTION_MS);
    let second = commit(&mut coordinator, 7, late);
    let second = begin(&mut coordinator, second.writes);
    assert_eq!(expire(&mut coordinator, late), [], "the old one is about to be replaced");
    end(&mut coordinator, second, Ok(()));
    assert_eq!(committed(&coordinator), Some(7));
}

#[test]
fn nobody_joins_a_group_that_is_being_deleted() {
    let mut coordinator = serving();
    let written = commit(&mut coordinator, 5, at(0));
    let written = begin(&mut coordinator, written.writes);
    end(&mut coordinator, written, Ok(()));
    for result in [Err(ErrorCode::KafkaStorageError), Ok(())] {
        let deletion = expire(&mut coordinator, at(RETENTION_MS));
        let deletion = begin(&mut coordinator, deletion);
        assert_eq!(join(&mut coordinator), ErrorCode::CoordinatorNotAvailable);
        let refused = commit(&mut coordinator, 6, at(0));
        assert_eq!(refused.writes, [], "it would go with the group");
        assert_eq!(refused.answers.len(), 1, "it is refused");
        end(&mut coordinator, deletion, result);
        let state = coordinator.group("g").map(Group::state);
        assert_eq!(state, result.is_err().then_some(GroupState::Empty));
        assert_eq!(committed(&coordinator), result.is_err().then_some(5));
    }
    assert_eq!(join(&mut coordinator), ErrorCode::MemberIdRequired, "it begins anew");
}

#[test]
fn a_group_that_is_half_read_is_not_forgotten() {
    let mut coordinator = Coordinator::new(0);
    // Its offsets lie behind what was read so far.
    coordinator.group_or_new("g", Timestamp(0));
    assert_eq!(expire(&mut coordinator, at(0)), [], "nothing is deleted");
    coordinator.fail();
    assert_eq!(expire(&mut coordinator, at(0)), [], "nothing is deleted");
}
