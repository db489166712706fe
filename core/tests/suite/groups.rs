//! Groups against what their members may expect, whatever these do and whenever the coordinator is restarted.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use ottla_core::{
    config::Settings,
    group::{
        CommittedOffset, Coordinator, Group, GroupContext, GroupState, OffsetKey, Outbox,
        coordinator::settings, join::Joining, offsets::Committer,
    },
    machine::{ConnectionId, Now, Random},
    session::RequestId,
    types::{ErrorCode, Instant, Offset},
    wire::{
        Response,
        messages::{
            leave_group::MemberIdentity,
            offset_commit::OffsetCommitResponse,
            sync_group::{SyncGroupRequest, SyncGroupRequestAssignment},
        },
    },
};
use proptest::prelude::*;

use crate::support::{broker::BEGINNING, dice::Dice, group::join_request};

const GROUP: &str = "g";
const NONE: i16 = 0;

/// What a client knows.
#[derive(Debug, Clone, Default)]
struct Client {
    instance: Option<String>,
    member: String,
    generation: i32,
    /// What it waits for.
    asked: Option<(RequestId, Asked)>,
    leads: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Join,
    Sync,
    Commit { offset: i64 },
}

struct World {
    dice: Dice,
    now: Now,
    coordinator: Coordinator,
    random: Random,
    clients: Vec<Client>,
    /// What was written and is not durable yet.
    writing: VecDeque<(u64, Bytes)>,
    /// What is durable: the partition of the coordinator.
    written: Vec<Bytes>,
    next_request: u64,
    answers: BTreeMap<RequestId, Response>,
    /// The generation that was seen last, and the members' assignments in each.
    generation: i32,
    assigned: BTreeMap<i32, BTreeMap<String, Bytes>>,
    committed: Option<i64>,
}

impl World {
    fn new(seed: u64, clients: usize) -> Self {
        let mut dice = Dice::new(seed);
        let client = |index: usize| Client {
            instance: index.is_multiple_of(3).then(|| format!("instance {index}")),
            ..Client::default()
        };
        let now = Now { instant: Instant(0), timestamp: BEGINNING };
        let mut coordinator = Coordinator::new(0);
        coordinator.begin_serving(now);
        Self {
            random: Random::new(dice.seed()),
            dice,
            now,
            coordinator,
            clients: (0..clients).map(client).collect(),
            writing: VecDeque::new(),
            written: Vec::new(),
            next_request: 0,
            answers: BTreeMap::new(),
            generation: 0,
            assigned: BTreeMap::new(),
            committed: None,
        }
    }

    fn with<R>(&mut self, act: impl FnOnce(&mut Coordinator, &mut GroupContext<'_>) -> R) -> R {
        let mut out = Outbox::default();
        let mut settings = settings(&Settings::defaults());
        settings.initial_rebalance_delay_ms = 500;
        settings.max_size = 6;
        let mut context =
            GroupContext { now: self.now, settings, random: &mut self.random, out: &mut out };
        let result = act(&mut self.coordinator, &mut context);
        for write in out.writes {
            let written = self.coordinator.begin_write(write, self.now.timestamp);
            self.writing.push_back(written);
        }
        for (request, response) in out.answers {
            let earlier = self.answers.insert(request, response);
            assert_eq!(earlier, None, "a request is answered once");
        }
        self.check();
        result
    }

    fn request(&mut self) -> RequestId {
        self.next_request += 1;
        RequestId { connection: ConnectionId(1), number: self.next_request }
    }

    fn group(&self) -> Option<&Group> {
        self.coordinator.group(GROUP)
    }

    fn check(&mut self) {
        let Some(group) = self.coordinator.group(GROUP) else { return };
        group.check();
        assert!(group.generation() >= self.generation, "a generation never comes again");
        self.generation = group.generation();
        let described = group.describe();
        if group.state() == GroupState::Stable {
            let assigned: BTreeMap<String, Bytes> = described
                .members
                .iter()
                .map(|member| (member.member_id.clone(), member.member_assignment.clone()))
                .collect();
            for (member, assignment) in &assigned {
                let expected = assignment_of(group.generation(), group, member);
                assert_eq!(*assignment, expected, "{member} has what this generation gave it");
            }
            self.assigned.insert(group.generation(), assigned);
        }
    }

    fn join(&mut self, index: usize) {
        let client = self.clients[index].clone();
        let request = self.request();
        let body = join_request(GROUP, &client.member, client.instance.as_deref());
        let joining = Joining {
            request,
            version: self.dice.pick(&[3, 5, 9]),
            client_id: format!("client {index}"),
            client_host: "/host".into(),
            body,
        };
        self.clients[index].asked = Some((request, Asked::Join));
        self.with(|coordinator, context| {
            let now = context.now.timestamp;
            if joining.body.member_id.is_empty() {
                coordinator.group_or_new(GROUP, now).join(joining, context);
            } else if let Some(group) = coordinator.group_mut(GROUP) {
                group.join(joining, context);
            } else {
                let answer = ottla_core::group::join::refuse(
                    joining.body.member_id,
                    ErrorCode::UnknownMemberId,
                );
                context.out.answers.push((request, answer.into()));
            }
        });
    }

    fn sync(&mut self, index: usize) {
        let client = self.clients[index].clone();
        let request = self.request();
        let members = client.leads.clone().unwrap_or_default();
        let assignments = members.iter().map(|member| SyncGroupRequestAssignment {
            member_id: member.clone(),
            assignment: assignment(client.generation, member),
        });
        let body = SyncGroupRequest {
            group_id: GROUP.into(),
            generation_id: client.generation,
            member_id: client.member.clone(),
            group_instance_id: client.instance.clone(),
            assignments: assignments.collect(),
            ..Default::default()
        };
        self.clients[index].asked = Some((request, Asked::Sync));
        self.with(|coordinator, context| match coordinator.group_mut(GROUP) {
            Some(group) => group.sync(request, body, context),
            None => {
                let answer = ottla_core::group::sync::refuse(ErrorCode::UnknownMemberId);
                context.out.answers.push((request, answer.into()));
            }
        });
    }

    fn heartbeat(&mut self, index: usize) {
        let client = self.clients[index].clone();
        let error = self.with(|coordinator, context| {
            coordinator.group_mut(GROUP).map_or(ErrorCode::UnknownMemberId, |group| {
                let instance = client.instance.as_deref();
                group.heartbeat(&client.member, instance, client.generation, context)
            })
        });
        let is_current = self.is_current(&client);
        let is_good = matches!(error, ErrorCode::None | ErrorCode::RebalanceInProgress);
        assert_eq!(is_good, is_current, "who beats is {client:?}: {error:?}");
        self.take_error(index, error.code());
    }

    /// Whether the group knows the client as a member of its generation.
    fn is_current(&self, client: &Client) -> bool {
        self.group().is_some_and(|group| {
            let member = group.members().get(&client.member);
            member.is_some_and(|member| {
                client.instance.is_none() || member.instance_id == client.instance
            }) && group.generation() == client.generation
        })
    }

    fn commit(&mut self, index: usize) {
        let client = self.clients[index].clone();
        let request = self.request();
        let offset = i64::try_from(self.next_request).expect("small");
        // Somebody who assigns itself commits to a group without members.
        let is_empty = self.group().is_some_and(|group| group.state() == GroupState::Empty);
        let may_commit = self.is_current(&client) || is_empty && client.generation < 0;
        let checked = self.with(|coordinator, context| {
            let group = coordinator.group_mut(GROUP);
            let group = group.ok_or(ErrorCode::UnknownMemberId)?;
            let committer = Committer {
                member_id: &client.member,
                instance_id: client.instance.as_deref(),
                generation: client.generation,
            };
            group.check_commit(committer, context)?;
            let committed = CommittedOffset {
                offset: Offset(offset),
                leader_epoch: None,
                metadata: String::new(),
                commit_timestamp: context.now.timestamp,
                expire_timestamp: None,
                topic_id: None,
            };
            group.commit(
                request,
                OffsetCommitResponse::default(),
                vec![(key(), committed)],
                context,
            );
            Ok(())
        });
        match checked {
            Ok(()) => {
                assert!(may_commit, "only a member of this generation commits: {client:?}");
                self.clients[index].asked = Some((request, Asked::Commit { offset }));
            }
            Err(error) => self.take_error(index, ErrorCode::code(error)),
        }
    }

    fn leave(&mut self, index: usize) {
        let client = self.clients[index].clone();
        let member = MemberIdentity {
            member_id: client.member,
            group_instance_id: client.instance.clone(),
            ..Default::default()
        };
        self.with(|coordinator, context| {
            coordinator.group_mut(GROUP).map(|group| group.leave(vec![member], context))
        });
        let instance = client.instance;
        let asked = self.clients[index].asked;
        self.clients[index] = Client { instance, asked, ..Client::default() };
    }

    /// The process of a client dies without a word; a new one takes its place.
    fn replace(&mut self, index: usize) {
        let instance = self.clients[index].instance.clone();
        self.clients[index] = Client { instance, ..Client::default() };
    }

    /// The oldest write becomes durable, or fails.
    fn end_write(&mut self, result: Result<(), ErrorCode>) {
        let Some((token, batch)) = self.writing.pop_front() else { return };
        if result.is_ok() {
            let base: i64 = self.written.iter().map(count).sum();
            self.written.push(placed(&batch, base));
        }
        self.with(|coordinator, context| {
            coordinator.write_ended(token, result, context);
        });
    }

    fn sleep(&mut self, milliseconds: u64) {
        let until = self.now.instant.0 + milliseconds * 1_000;
        while let Some(at) = self.coordinator.next_deadline().filter(|at| at.0 <= until) {
            self.set_clock(at.0.max(self.now.instant.0));
            self.with(Coordinator::take_timeouts);
            let next = self.coordinator.next_deadline();
            assert!(next.is_none_or(|next| next > self.now.instant), "what was due is done");
        }
        self.set_clock(until);
        self.with(|_, _| ());
    }

    fn set_clock(&mut self, instant: u64) {
        self.now.instant = Instant(instant);
        self.now.timestamp.0 = BEGINNING.0 + i64::try_from(instant / 1_000).expect("small");
    }

    /// The coordinator dies with all that was not durable; another reads its partition.
    fn restart(&mut self) {
        let before = self.group().map(Group::generation);
        // What was being written may be on disk all the same.
        for (_, batch) in std::mem::take(&mut self.writing) {
            if !self.dice.percent(50) {
                break;
            }
            let base: i64 = self.written.iter().map(count).sum();
            self.written.push(placed(&batch, base));
        }
        self.coordinator = Coordinator::new(0);
        let partition = Bytes::from(self.written.concat());
        let taken = self.coordinator.load(&partition, self.now);
        assert_eq!(taken, Some(partition.len()), "everything is read");
        self.coordinator.begin_serving(self.now);
        let generation = self.group().map_or(0, Group::generation);
        assert!(before.is_none_or(|before| generation <= before), "nothing is made up");
        // A rebalance that was not written down never was.
        self.generation = generation;
        for client in &mut self.clients {
            client.asked = None;
        }
        self.answers.clear();
        let found = self.group().and_then(|group| group.offset(&key())).map(|found| found.offset.0);
        assert!(
            found >= self.committed,
            "a committed offset stays: {found:?} {:?}",
            self.committed
        );
        self.committed = found;
    }

    fn take_answers(&mut self) {
        for index in 0..self.clients.len() {
            let Some((request, asked)) = self.clients[index].asked else { continue };
            let Some(answer) = self.answers.remove(&request) else { continue };
            self.clients[index].asked = None;
            match (asked, answer) {
                (Asked::Join, Response::JoinGroup(answer)) => {
                    let client = &mut self.clients[index];
                    if answer.error_code == NONE {
                        let leads = answer.leader == answer.member_id && !answer.skip_assignment;
                        let members = answer.members.iter().map(|member| member.member_id.clone());
                        assert!(leads || answer.members.is_empty() || answer.skip_assignment);
                        client.leads = leads.then(|| members.collect());
                        client.member = answer.member_id;
                        client.generation = answer.generation_id;
                    } else if answer.error_code == ErrorCode::MemberIdRequired.code() {
                        client.member = answer.member_id;
                    } else {
                        self.take_error(index, answer.error_code);
                    }
                }
                (Asked::Sync, Response::SyncGroup(answer)) if answer.error_code == NONE => {
                    let client = &self.clients[index];
                    let given = self.assigned.get(&client.generation);
                    let given = given.and_then(|given| given.get(&client.member));
                    // A static member that has come back gets what was given to the process before it.
                    assert!(
                        given == Some(&answer.assignment) || client.instance.is_some(),
                        "an assignment is that of the generation"
                    );
                }
                (Asked::Sync, Response::SyncGroup(answer)) => {
                    self.take_error(index, answer.error_code);
                }
                (Asked::Commit { offset }, Response::OffsetCommit(_)) => {
                    // Whether it was written down is seen in the group.
                    let found = self.group().and_then(|group| group.offset(&key()));
                    if found.is_some_and(|found| found.offset.0 == offset) {
                        self.committed = Some(offset);
                    }
                }
                (asked, answer) => panic!("{asked:?} was answered with {answer:?}"),
            }
        }
    }

    fn take_error(&mut self, index: usize, error: i16) {
        let client = &mut self.clients[index];
        if error == ErrorCode::UnknownMemberId.code() || error == ErrorCode::FencedInstanceId.code()
        {
            client.member = String::new();
            client.generation = -1;
            client.leads = None;
        }
    }

    fn act(&mut self) {
        let index = self.dice.below(self.clients.len());
        let is_free = self.clients[index].asked.is_none();
        match self.dice.below(20) {
            0..=4 if is_free => self.join(index),
            5..=8 if is_free => self.sync(index),
            9 | 10 => self.heartbeat(index),
            11 if is_free => self.commit(index),
            12 if self.dice.percent(40) => self.leave(index),
            13 if self.dice.percent(40) => self.replace(index),
            14 => {
                let milliseconds = self.dice.pick(&[10, 500, 3_000, 12_000]);
                self.sleep(milliseconds);
            }
            15 if self.dice.percent(15) => self.restart(),
            16 if self.dice.percent(20) => self.end_write(Err(ErrorCode::KafkaStorageError)),
            _ => self.end_write(Ok(())),
        }
        self.take_answers();
    }

    /// Nobody does anything any more: whoever waits is answered in time.
    fn wind_down(&mut self) {
        for _ in 0..20 {
            while !self.writing.is_empty() {
                self.end_write(Ok(()));
            }
            self.sleep(30_000);
            self.take_answers();
        }
        for client in &self.clients {
            assert!(client.asked.is_none(), "every request is answered: {client:?}");
        }
    }
}

fn key() -> OffsetKey {
    OffsetKey { topic: "t".into(), partition: 0 }
}

fn assignment(generation: i32, member: &str) -> Bytes {
    format!("{generation} {member}").into()
}

/// What the leader of this generation gave a member; one that it did not know has nothing.
fn assignment_of(generation: i32, group: &Group, member: &str) -> Bytes {
    let given = assignment(generation, member);
    let described = group.describe();
    let found = described.members.iter().find(|known| known.member_id == member);
    let found = found.expect("it is a member").member_assignment.clone();
    // A static member keeps what was given to the process before it.
    let is_static = group.members()[member].instance_id.is_some();
    if found.is_empty() || is_static && found.starts_with(format!("{generation} ").as_bytes()) {
        found
    } else {
        given
    }
}

fn count(batch: &Bytes) -> i64 {
    i64::from(i32::from_be_bytes(*batch[57..].first_chunk().expect("a batch has a header")))
}

fn placed(batch: &Bytes, base: i64) -> Bytes {
    let mut bytes = batch.to_vec();
    bytes[..8].copy_from_slice(&base.to_be_bytes());
    bytes.into()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        max_shrink_time: 20_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn members_can_rely_on_the_group(
        seed in any::<u64>(),
        clients in 1..8_usize,
        actions in 1..400_usize,
    ) {
        let mut world = World::new(seed, clients);
        (0..actions).for_each(|_| world.act());
        world.wind_down();
    }
}
