//! An offset that a group has committed, as far as the model follows it.
//!
//! It is the model's with one member over one partition: each commit is of the next record, whatever offset it stands for. Where
//! nothing is under way the model begins anew, with nothing committed, which stands for what is.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Accepted, course::Course, window::Given};
use crate::group::{Action, Budgets, Group};

/// Where a group's offset of a partition stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Register {
    /// What is committed.
    pub committed: Option<i64>,
    /// What is being written down, in its order: offsets, and nothing for one that is deleted.
    pub under_way: Vec<Option<i64>>,
}

/// How many commits a model has.
const COMMITS: u8 = 64;

/// A group's offset of a partition.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    window: Option<Window>,
    /// Its process has ended, and the next has not loaded it yet.
    has_ended: bool,
    /// What the model has answered in this process.
    answered: BTreeSet<i64>,
    /// Something of this process was not followed: of what it answers nothing can be said.
    is_blind: bool,
}

impl Offsets {
    /// Another process begins.
    pub(super) fn begin(&mut self) {
        self.has_ended = true;
    }

    /// It has come to stand somewhere else.
    pub(super) fn stands(
        &mut self,
        at: &Register,
        is_damaged: bool,
        accepted: &mut Accepted,
    ) -> Result<(), String> {
        if std::mem::take(&mut self.has_ended) {
            self.answered.clear();
            self.is_blind = false;
            match self.window.take() {
                Some(_) if is_damaged => {
                    accepted.gap("an offset loaded where what was durable may be damaged");
                }
                Some(window) => window.recover(at.committed, accepted)?,
                None => accepted.gap("a restart of an offset that is not followed"),
            }
        }
        let mut window = self.window.take().unwrap_or_else(|| Window::begin(at.committed));
        match window.advance(at, &mut self.answered, accepted)? {
            Given::Followed if at.under_way.is_empty() && window.is_half_full() => {
                self.window = Some(Window::begin(at.committed));
            }
            Given::Followed => self.window = Some(window),
            Given::Up(why) => self.lose_sight(why, accepted),
        }
        Ok(())
    }

    /// An OffsetCommit was answered.
    pub(super) fn answered(&self, offset: i64, accepted: &mut Accepted) -> Result<(), String> {
        if self.is_blind {
            accepted.gap("an answer to a commit that is not followed");
            return Ok(());
        }
        if !self.answered.contains(&offset) {
            return Err(format!(
                "the model answers {:?}, and {offset} was answered",
                self.answered
            ));
        }
        accepted.answers += 1;
        Ok(())
    }

    pub(super) fn lose_sight(&mut self, why: &str, accepted: &mut Accepted) {
        self.window = None;
        self.is_blind = true;
        accepted.gap(why);
    }
}

#[derive(Debug)]
struct Window {
    course: Course<Group>,
    /// What was committed when it began.
    base: Option<i64>,
    /// What the model's commits stand for.
    commits: Vec<i64>,
    /// How many of them are durable.
    written: usize,
}

impl Window {
    fn begin(base: Option<i64>) -> Self {
        let mut model = Group::calm(&[COMMITS]);
        model.clients = 1;
        model.keeps_all = true;
        model.budgets = Budgets { moves: 1, ..Budgets::default() };
        let model = model.prepared();
        let mut window =
            Self { course: Course::begin(model), base, commits: Vec::new(), written: 0 };
        let first = [
            Action::Join(0),
            Action::Join(0),
            Action::Sync(0),
            Action::Written,
            Action::FetchOffset(0, 0),
        ];
        for action in first {
            window
                .course
                .take(action, &mut Accepted::default())
                .expect("a lone member comes that far");
        }
        window
    }

    const fn is_half_full(&self) -> bool {
        self.commits.len() * 2 >= COMMITS as usize
    }

    fn under_way(&self) -> &[i64] {
        &self.commits[self.written..]
    }

    /// What is committed by the model.
    fn committed(&self) -> Option<i64> {
        let own = usize::try_from(self.course.state.broker.committed(0)).unwrap_or(0);
        own.checked_sub(1).map_or(self.base, |place| Some(self.commits[place]))
    }

    /// What is committed once so many of what is under way are durable.
    fn after(&self, count: usize) -> Option<i64> {
        count.checked_sub(1).map_or_else(|| self.committed(), |last| Some(self.under_way()[last]))
    }

    fn advance(
        &mut self,
        at: &Register,
        answered: &mut BTreeSet<i64>,
        accepted: &mut Accepted,
    ) -> Result<Given, String> {
        let Some(seen) = at.under_way.iter().copied().collect::<Option<Vec<i64>>>() else {
            return Ok(Given::Up("an offset that is deleted"));
        };
        let mut counts = 0..=self.under_way().len();
        let count = counts.find(|&count| {
            self.after(count) == at.committed && seen.starts_with(&self.under_way()[count..])
        });
        let Some(count) = count else {
            if self.committed() == at.committed && seen.len() < self.under_way().len() {
                return Ok(Given::Up("a commit that could not be written down"));
            }
            return Err(format!(
                "{:?} is committed by the model, with {:?} under way",
                self.committed(),
                self.under_way()
            ));
        };
        for _ in 0..count {
            self.course.take(Action::Written, accepted)?;
            answered.insert(self.commits[self.written]);
            self.written += 1;
        }
        for &offset in &seen[self.under_way().len()..] {
            if self.commits.len() == usize::from(COMMITS) {
                return Ok(Given::Up("more commits under way than the model has"));
            }
            for action in [Action::Poll(0, 0), Action::Commit(0, 0), Action::Deliver(0)] {
                self.course.take(action, accepted)?;
            }
            self.commits.push(offset);
        }
        let writes = self.course.state.broker.writes.len();
        if (self.committed(), writes) == (at.committed, seen.len()) {
            return Ok(Given::Followed);
        }
        Err(format!(
            "{:?} is committed by the model, and {writes} writes under way",
            self.committed()
        ))
    }

    /// A process has ended, and the next has loaded it.
    fn recover(mut self, committed: Option<i64>, accepted: &mut Accepted) -> Result<(), String> {
        let mut counts = 0..=self.under_way().len();
        let Some(count) = counts.find(|&count| self.after(count) == committed) else {
            return Err(format!(
                "{:?} was durable, with {:?} under way, and {committed:?} was loaded",
                self.committed(),
                self.under_way()
            ));
        };
        self.course.take(Action::Move(count), accepted)?;
        self.course.take(Action::Load, accepted)?;
        if self.committed() == committed {
            return Ok(());
        }
        Err(format!("the model has loaded {:?}, and the run {committed:?}", self.committed()))
    }
}
