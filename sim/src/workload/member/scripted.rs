//! A member that does one thing at a time, as it is told to.

use ottla_core::wire::messages::join_group::JoinGroupResponse;
use ottla_jepsen::history::Commit;
use ottla_model::group::Commits;

use super::{Member, Stop, protocol::Named};
use crate::workload::fetcher::{Limits, Position, Positions, Reading};

/// What a member is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// To join. Who has no id yet is given one, and is to join again.
    Join,
    /// To ask for its assignment; who leads brings it.
    Sync,
    /// To say that it lives.
    Heartbeat,
    /// To give up its connection.
    Disconnect,
    /// To ask where to begin with what it was assigned.
    Begin,
    /// To fetch one record of a partition.
    Poll(i32),
    /// To process what it has fetched, where that is not done at once.
    Process,
    /// To commit how far it is.
    Commit,
    /// To note down how far it is, to be committed later.
    Hold,
    /// To commit what it has noted down, as who it was then.
    CommitHeld,
}

/// The limits with which one batch comes.
const ONE: Limits = Limits { max_wait_ms: 500, min_bytes: 1, max_bytes: 1, partition_max_bytes: 1 };

/// How often something is tried again that a coordinator cannot do yet.
const TRIES: u32 = 20;

/// A member that is told what to do.
#[derive(Debug)]
pub struct Scripted {
    member: Member,
    joined: Option<JoinGroupResponse>,
    assigned: Option<Vec<Named>>,
    held: Vec<Held>,
}

/// A commit, by whom, and of which partition.
#[derive(Debug)]
struct Held {
    commit: Commit,
    member_id: String,
    position: Position,
}

impl Scripted {
    /// One that was told nothing yet.
    pub fn new(member: Member) -> Self {
        Self { member, joined: None, assigned: None, held: Vec::new() }
    }

    /// Does it; false if it cannot.
    pub async fn act(&mut self, act: Act) -> bool {
        match act {
            Act::Join => self.join().await,
            Act::Sync => self.sync().await,
            Act::Heartbeat => {
                self.member.heartbeat_at = 0;
                self.member.heartbeat_if_due().await.is_none_or(|stop| stop == Stop::Rejoin)
            }
            Act::Disconnect => {
                self.member.client.disconnect();
                true
            }
            Act::Begin => match self.assigned.take() {
                Some(assigned) => self.member.own(assigned).await.is_ok(),
                None => !self.member.positions.is_empty(),
            },
            Act::Poll(index) => self.poll(index).await,
            Act::Process => {
                let Member { client, fetcher, .. } = &mut self.member;
                fetcher.process(client, true);
                true
            }
            Act::Commit => self.member.commit().await.is_ok(),
            Act::Hold => self.hold(),
            Act::CommitHeld => self.commit_held().await,
        }
    }

    async fn join(&mut self) -> bool {
        let member = &mut self.member;
        member.positions.clear();
        (self.joined, self.assigned) = (None, None);
        for _ in 0..TRIES {
            let is_ready = member.client.refresh().await.is_ok()
                && member.knows_its_topics()
                && member.find_coordinator().await.is_ok();
            if is_ready {
                match member.join().await {
                    Ok(joined) => {
                        self.joined = Some(joined);
                        return true;
                    }
                    // It has an id now.
                    Err(Stop::Rejoin) => return true,
                    Err(Stop::Unclear) => {}
                    Err(Stop::Unknown | Stop::Fenced) => return false,
                }
            }
            member.client.back_off().await;
        }
        false
    }

    async fn sync(&mut self) -> bool {
        let Some(joined) = self.joined.take() else { return false };
        let assignments = self.member.lead(&joined);
        match self.member.sync(assignments).await {
            Ok(assigned) => {
                self.assigned = Some(assigned);
                true
            }
            Err(_) => false,
        }
    }

    fn hold(&mut self) -> bool {
        let Member { plan, positions, generation, member_id, .. } = &self.member;
        let held = positions.iter().map(|(partition, position)| Held {
            commit: Commit {
                group: plan.name.clone(),
                generation: *generation,
                partition: *partition,
                offset: position.offset,
            },
            member_id: member_id.clone(),
            position: position.clone(),
        });
        self.held.extend(held);
        !self.held.is_empty()
    }

    /// Whether it is accepted makes no difference: it was sent.
    async fn commit_held(&mut self) -> bool {
        let is_any = !self.held.is_empty();
        for Held { commit, member_id, position } in self.held.drain(..) {
            let named = (position.topic.as_str(), position.id, position.index);
            self.member.client.commit_one(commit, (member_id, None), named, 2).await;
        }
        is_any
    }

    /// Fetches one record, and processes it if that comes before the commit.
    async fn poll(&mut self, index: i32) -> bool {
        let Member { client, fetcher, positions, plan, .. } = &mut self.member;
        let of_partition = positions.iter().filter(|(_, position)| position.index == index);
        let mut one: Positions =
            of_partition.map(|(partition, position)| (*partition, position.clone())).collect();
        let reading = match plan.commits {
            Commits::AfterProcessing => Reading::Processed,
            Commits::BeforeProcessing | Commits::Auto => Reading::Handed,
        };
        let group = Some(plan.name.as_str());
        let fetched = fetcher.fetch(client, &mut one, ONE, group, reading).await;
        fetcher.reset();
        positions.extend(one);
        fetched.is_ok_and(|fetched| {
            fetched.iter().map(|fetched| fetched.decoded.records.len()).sum::<usize>() == 1
        })
    }
}
