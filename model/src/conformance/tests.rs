//! Short runs, such as the simulator writes down, and what the model says of them.

use super::*;

fn at(is_durable: bool, [end, written, durable, safe]: [i64; 4]) -> Event {
    let at = Position { is_durable, start: 0, end, written, durable, safe };
    Event::Stands { partition: "t-0".into(), at }
}

fn answered(offset: i64) -> Event {
    Event::Answered { partition: "t-0".into(), offset }
}

const BEGAN: Event = Event::Began { power_failed: false };
const POWER_FAILED: Event = Event::Began { power_failed: true };

/// Two appends, of which the second begins before the first is durable.
fn appends() -> Vec<Event> {
    [[0; 4], [2, 0, 0, 0], [2, 2, 0, 0], [3, 2, 0, 0], [3, 3, 0, 0], [3, 3, 2, 2]]
        .map(|figures| at(true, figures))
        .into()
}

fn run(more: &[Event]) -> Result<Accepted, Box<Refusal>> {
    let mut events = vec![BEGAN];
    events.extend(appends());
    events.extend_from_slice(more);
    accept(&events, false)
}

#[test]
fn appends_are_acknowledged_once_they_are_durable() {
    let end = at(true, [3, 3, 3, 3]);
    let accepted = run(&[answered(0), end, answered(2)]).expect("the model may do that");
    assert_eq!((accepted.answers, accepted.actions["Produce"]), (2, 2));
    assert_eq!((accepted.actions["SyncTo"], accepted.actions["Sync"]), (1, 1));
    assert!(accepted.gaps.is_empty());
}

#[test]
fn an_answer_before_the_sync_is_refused() {
    let refusal = run(&[answered(2)]).expect_err("it is not durable");
    assert_eq!((refusal.number, &refusal.event), (7, &answered(2)));
}

#[test]
fn a_high_watermark_before_the_sync_is_refused() {
    let refusal = run(&[at(true, [3, 3, 2, 3])]).expect_err("it is not durable");
    assert!(refusal.why.starts_with("the high watermark"), "{refusal}");
    let relaxed = [BEGAN, at(false, [0; 4]), at(false, [2, 2, 0, 2]), answered(0)];
    assert!(accept(&relaxed, false).is_ok(), "where flush.messages allows it, it is not");
}

#[test]
fn a_power_loss_takes_what_is_not_durable() {
    assert!(run(&[POWER_FAILED, at(true, [2, 2, 2, 2])]).is_ok());
    assert!(run(&[POWER_FAILED, at(true, [3, 3, 3, 3])]).is_ok());
    assert!(run(&[POWER_FAILED, at(true, [0, 0, 0, 0])]).is_err(), "it takes nothing else");
    assert!(run(&[POWER_FAILED, at(true, [4, 4, 4, 4])]).is_err(), "and brings nothing");
}

#[test]
fn a_journal_that_is_replayed_may_lose_nothing_either() {
    let replayed = run(&[POWER_FAILED, at(true, [3, 2, 2, 2])]).expect("it is all there");
    assert_eq!(replayed.gaps["a restart that replays the journal"], 1);
    assert!(run(&[POWER_FAILED, at(true, [1, 0, 0, 0])]).is_err());
}

#[test]
fn a_killed_process_loses_nothing_that_was_written() {
    assert!(run(&[BEGAN, at(true, [3, 3, 3, 3])]).is_ok());
    assert!(run(&[BEGAN, at(true, [2, 2, 2, 2])]).is_err());
}

fn offset(committed: Option<i64>, under_way: &[i64]) -> Event {
    let under_way = under_way.iter().copied().map(Some).collect();
    Event::Offset { register: "g t-0".into(), at: Register { committed, under_way } }
}

fn committed(offset: i64) -> Event {
    Event::Committed { register: "g t-0".into(), offset }
}

/// Two commits, of which the first is durable.
fn commits(more: &[Event]) -> Result<Accepted, Box<Refusal>> {
    let mut events =
        vec![BEGAN, offset(None, &[7]), offset(None, &[7, 9]), offset(Some(7), &[9]), committed(7)];
    events.extend_from_slice(more);
    accept(&events, false)
}

#[test]
fn commits_are_answered_once_they_are_durable() {
    let accepted = commits(&[offset(Some(9), &[]), committed(9)]).expect("the model may do that");
    assert_eq!((accepted.answers, accepted.actions["Deliver"]), (2, 2));
    assert_eq!(accepted.actions["Written"], 2);
    assert!(accepted.gaps.is_empty());
    assert!(commits(&[committed(9)]).is_err(), "it is not durable");
    assert!(commits(&[offset(Some(8), &[9])]).is_err(), "nobody has committed that");
}

#[test]
fn what_is_durable_of_a_group_is_loaded() {
    assert!(commits(&[POWER_FAILED, offset(Some(7), &[])]).is_ok());
    assert!(commits(&[POWER_FAILED, offset(Some(9), &[11])]).is_ok(), "it may be on disk");
    assert!(commits(&[BEGAN, offset(None, &[])]).is_err(), "what was acknowledged is gone");
    assert!(commits(&[BEGAN, offset(Some(5), &[])]).is_err());
}

#[test]
fn offsets_that_are_deleted_are_not_followed() {
    let at = Register { committed: Some(7), under_way: vec![Some(9), None] };
    let deleted = Event::Offset { register: "g t-0".into(), at };
    let accepted = commits(&[deleted, offset(None, &[]), committed(9)]).expect("nobody can tell");
    assert_eq!(accepted.gaps["an offset that is deleted"], 1);
    assert_eq!(accepted.gaps["an answer to a commit that is not followed"], 1);
}

#[test]
fn what_is_not_followed_is_counted() {
    let other = Event::Else { kind: "Fetch".into(), count: 3 };
    let accepted = run(&[other, at(false, [3, 3, 2, 3])]).expect("nobody can tell");
    assert_eq!(accepted.gaps["told: Fetch"], 3);
    assert_eq!(accepted.gaps["flush.messages that is changed"], 1);
}
