//! A member of a group: it joins, is assigned partitions, processes their records, and commits what it has processed.

mod assign;
pub(super) mod offsets;
mod protocol;
mod rebalance;
mod scripted;

use std::{collections::BTreeMap, time::Duration};

use ottla_core::{
    types::ErrorCode,
    wire::{
        ApiKey,
        messages::{
            heartbeat::HeartbeatRequest,
            leave_group::{LeaveGroupRequest, MemberIdentity},
        },
    },
};
use ottla_jepsen::history::{Answer, Call, Note, Partition};
use ottla_model::group::Commits;

pub use scripted::{Act, Scripted};

use super::{
    Progress,
    client::{Client, REQUEST_LIMIT, error_name},
    fetcher::{Fetched, Fetcher, Limits, Positions, Reading},
    offsets::EARLIEST,
    plan::GroupPlan,
};
use crate::dice::MILLION;

/// A member of a group.
#[derive(Debug)]
pub struct Member {
    client: Client,
    plan: GroupPlan,
    progress: Progress,
    fetcher: Fetcher,
    member_id: String,
    instance_id: Option<String>,
    generation: i32,
    /// What it owns, and where it is.
    positions: Positions,
    /// What was committed last of each.
    committed: BTreeMap<Partition, i64>,
    /// How many partitions the topics had when it assigned them, if it leads.
    assigned_counts: Option<Vec<usize>>,
    heartbeat_at: u64,
    refresh_at: u64,
    commit_all_at: u64,
}

/// Why a member does not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// It is to join again.
    Rejoin,
    /// It is not known, and is to join as a new one.
    Unknown,
    /// Another process has taken its place.
    Fenced,
    /// Nobody knows: it tries again.
    Unclear,
}

impl Stop {
    const fn of(error: ErrorCode) -> Self {
        #[expect(clippy::wildcard_enum_match_arm, reason = "all others are tried again")]
        match error {
            ErrorCode::RebalanceInProgress => Self::Rejoin,
            ErrorCode::UnknownMemberId | ErrorCode::IllegalGeneration => Self::Unknown,
            ErrorCode::FencedInstanceId => Self::Fenced,
            _ => Self::Unclear,
        }
    }
}

impl Member {
    /// One that has not joined yet.
    pub fn new(
        mut client: Client,
        plan: GroupPlan,
        instance_id: Option<String>,
        progress: Progress,
    ) -> Self {
        let has_session = client.dice.coin();
        let fetcher = Fetcher::new(&mut client, 4, has_session);
        Self {
            client,
            plan,
            progress,
            fetcher,
            member_id: String::new(),
            instance_id,
            generation: -1,
            positions: Positions::new(),
            committed: BTreeMap::new(),
            assigned_counts: None,
            heartbeat_at: 0,
            refresh_at: 0,
            commit_all_at: 0,
        }
    }

    /// Works until it is told that all is done.
    pub async fn run(mut self) {
        while !self.progress.is_over() {
            if self.client.refresh().await.is_err() || !self.knows_its_topics() {
                self.client.back_off().await;
                continue;
            }
            match self.rebalance().await {
                Ok(()) => {}
                Err(stop) => {
                    self.stop(stop).await;
                    self.client.back_off().await;
                    continue;
                }
            }
            self.try_old_generation().await;
            let stop = self.work().await;
            if self.progress.is_over() {
                break;
            }
            if !self.plan.is_cooperative && stop == Stop::Rejoin {
                // What is to be given up is committed first, as long as that is possible.
                let _ = self.commit().await;
                self.positions.clear();
            }
            self.stop(stop).await;
        }
        self.leave().await;
    }

    fn knows_its_topics(&self) -> bool {
        self.plan
            .topics
            .iter()
            .all(|topic| self.client.topics.contains_key(&self.client.plans[*topic].name))
    }

    /// What follows from it.
    async fn stop(&mut self, stop: Stop) {
        self.client.recorder.count(match stop {
            Stop::Rejoin => "member rejoins",
            Stop::Unknown => "member unknown",
            Stop::Fenced => "member fenced",
            Stop::Unclear => "member unclear",
        });
        match stop {
            Stop::Rejoin | Stop::Unclear => {}
            Stop::Unknown => {
                self.positions.clear();
                self.member_id.clear();
                self.generation = -1;
            }
            Stop::Fenced => {
                self.try_as_replaced().await;
                // Its successor goes on. It tries to come back, as long as it lives.
                self.positions.clear();
                self.member_id.clear();
                self.generation = -1;
                self.client.sleep_ms(3_000).await;
            }
        }
    }

    /// Processes records until it is to join again.
    async fn work(&mut self) -> Stop {
        loop {
            if self.progress.is_over() {
                return Stop::Rejoin;
            }
            if let Some(stop) = self.heartbeat_if_due().await {
                return stop;
            }
            if let Some(stop) = self.look_for_new_partitions().await {
                return stop;
            }
            let healed = self.client.phases.is_healed();
            if !healed && self.client.has_enough() {
                self.client.back_off().await;
                continue;
            }
            if !healed && self.client.dice.chance(MILLION / 400) {
                self.leave().await;
                return Stop::Unknown;
            }
            if self.positions.is_empty() {
                self.client.back_off().await;
                continue;
            }
            self.process().await;
            if !healed && self.client.dice.chance(MILLION / 150) {
                // It stands still for longer than the others wait for it, and then goes on as if nothing had been.
                self.client.recorder.count("member stalls");
                let session = u64::try_from(self.plan.session_timeout_ms).unwrap_or(1_000);
                self.client.sleep_ms(session * 3 / 2).await;
                self.heartbeat_at = u64::MAX;
            }
            // A commit that was given up may have come late, and have taken the place of a later one.
            let may_be_behind = healed && !self.progress.is_all_committed();
            if may_be_behind && self.commit_all_at < self.client.timers.now() {
                self.commit_all_at = self.client.timers.now() + 10_000_000_000;
                self.committed.clear();
            }
            let commits = healed || self.client.dice.chance(MILLION / 3);
            if commits && let Err(stop) = self.commit().await {
                self.heartbeat_at = 0;
                if stop != Stop::Unclear {
                    return stop;
                }
            }
            self.heartbeat_at = self.heartbeat_at.min(self.client.timers.now() + 500_000_000);
        }
    }

    async fn process(&mut self) {
        let mut limits = Limits::draw(&mut self.client);
        limits.max_wait_ms = limits.max_wait_ms.min(self.plan.session_timeout_ms / 4).min(500);
        let healed = self.client.phases.is_healed();
        // Between what is read and what is processed it may crash.
        let crashes = !healed && self.client.dice.chance(MILLION / 200);
        let is_early = !healed && self.plan.commits != Commits::AfterProcessing;
        let reading = match (crashes, is_early) {
            (true, _) => Reading::Unprocessed,
            (false, true) => Reading::Handed,
            (false, false) => Reading::Processed,
        };
        let before = (reading != Reading::Processed).then(|| self.positions.clone());
        let Self { client, fetcher, positions, plan, .. } = self;
        let group = Some(plan.name.as_str());
        let Ok(fetched) = fetcher.fetch(client, positions, limits, group, reading).await else {
            self.client.back_off().await;
            return;
        };
        let goes_back = crashes || is_early && !self.process_late().await;
        if let Some(before) = before.filter(|_| goes_back) {
            self.client.recorder.count("read and not processed");
            for (partition, position) in &before {
                let offset = Some(position.offset);
                self.client.note(Note::Seek { partition: *partition, offset });
            }
            self.positions = before;
            self.fetcher.reset();
            return;
        }
        let mut any_error = false;
        for fetched in fetched {
            any_error |= fetched.error != ErrorCode::None;
            self.react(&fetched).await;
        }
        if any_error {
            self.client.back_off().await;
        }
    }

    /// What was handed out is processed after a while, and committed before; now and then only, where that is by itself. False
    /// if it is not processed, for what had to be committed first was not.
    async fn process_late(&mut self) -> bool {
        let commits_first =
            self.plan.commits == Commits::BeforeProcessing || self.client.dice.coin();
        let may_process = !commits_first || self.commit().await.is_ok();
        if may_process {
            let while_ms = self.client.dice.below(300);
            self.client.sleep_ms(while_ms).await;
        }
        self.fetcher.process(&self.client, may_process);
        may_process
    }

    async fn react(&mut self, fetched: &Fetched) {
        if let Some(offset) = fetched.diverged_at {
            self.seek(fetched.partition, offset.max(0));
        }
        if fetched.error == ErrorCode::None {
            return;
        }
        self.client.recorder.count(&format!("fetch {}", fetched.error.name()));
        let Some(position) = self.positions.get(&fetched.partition).cloned() else { return };
        let Some(topic) = self.client.topics.get(&position.topic).cloned() else { return };
        if fetched.error == ErrorCode::OffsetOutOfRange
            && let Ok(offset) = self.client.offset_at(&topic, position.index, EARLIEST).await
        {
            self.seek(fetched.partition, offset);
        }
    }

    /// Goes on elsewhere: what it read last does not lie before that.
    fn seek(&mut self, partition: Partition, offset: i64) {
        let Some(position) = self.positions.get_mut(&partition) else { return };
        (position.offset, position.last_epoch) = (offset, -1);
        self.client.note(Note::Seek { partition, offset: Some(offset) });
    }

    async fn heartbeat_if_due(&mut self) -> Option<Stop> {
        let now = self.client.timers.now();
        if now < self.heartbeat_at {
            return None;
        }
        let session = u64::try_from(self.plan.session_timeout_ms).unwrap_or(1_000);
        self.heartbeat_at = now + session * 1_000_000 / 4;
        let request = HeartbeatRequest {
            group_id: self.plan.name.clone(),
            generation_id: self.generation,
            member_id: self.member_id.clone(),
            group_instance_id: self.instance_id.clone(),
        };
        let version = self.client.version(ApiKey::Heartbeat, 3);
        match self.client.call(&request, version, REQUEST_LIMIT).await {
            Ok(response) => {
                let name = error_name(response.error_code);
                self.client.recorder.count(&format!("heartbeat {name}"));
                let error = ErrorCode::from_code(response.error_code)?;
                let stop = Stop::of(error);
                (error != ErrorCode::None && stop != Stop::Unclear).then_some(stop)
            }
            Err(_) => {
                // The connection may have been idle for too long; the session is not.
                self.heartbeat_at = now + 200_000_000;
                None
            }
        }
    }

    fn partition_counts(&self) -> Vec<usize> {
        let names = self.plan.topics.iter().map(|topic| &self.client.plans[*topic].name);
        let counts =
            names.map(|name| self.client.topics.get(name).map_or(0, |topic| topic.epochs.len()));
        counts.collect()
    }

    /// The leader sees to it that new partitions are read.
    async fn look_for_new_partitions(&mut self) -> Option<Stop> {
        let now = self.client.timers.now();
        if now < self.refresh_at || self.assigned_counts.is_none() {
            return None;
        }
        self.refresh_at = now + 2_000_000_000;
        self.client.refresh().await.ok()?;
        let counts = self.partition_counts();
        (self.assigned_counts.as_ref() != Some(&counts)).then_some(Stop::Rejoin)
    }

    async fn leave(&mut self) {
        let begun = self.client.invoke(Call::Leave { group: self.plan.name.clone() });
        let version = self.client.version(ApiKey::LeaveGroup, 0);
        let member = MemberIdentity {
            member_id: self.member_id.clone(),
            group_instance_id: self.instance_id.clone(),
            reason: Some("enough".into()),
        };
        let request = LeaveGroupRequest {
            group_id: self.plan.name.clone(),
            member_id: self.member_id.clone(),
            members: vec![member],
        };
        self.positions.clear();
        match self.client.call(&request, version, REQUEST_LIMIT).await {
            Ok(response) => {
                let inner = response.members.first().map_or(0, |member| member.error_code);
                let code = if response.error_code == 0 { inner } else { response.error_code };
                match code {
                    0 => self.client.recorder.ok(begun, Answer::Done),
                    code => self.client.recorder.fail(begun, error_name(code)),
                }
            }
            Err(why) if why.never_sent => self.client.recorder.fail(begun, why.reason),
            Err(why) => self.client.recorder.info(begun, why.reason),
        }
        self.client.timers.sleep(Duration::from_millis(50)).await;
    }
}
