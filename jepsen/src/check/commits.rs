//! A group's offset of one partition: a register that is set by commits and read by who takes over.

/// A commit that was not refused.
#[derive(Debug, Clone, Copy)]
struct Set {
    invoke: usize,
    /// When it was acknowledged, if it was.
    completion: Option<usize>,
    generation: i32,
    offset: i64,
}

/// What was read, compared with what was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Right,
    /// This was acknowledged, and nothing later was read.
    Lost {
        offset: i64,
        event: usize,
    },
    /// Nobody ever set that.
    Phantom,
    /// There was none when this told so, and nobody has set it since.
    CameBack {
        event: usize,
    },
}

/// All commits of a group and a partition.
#[derive(Debug, Default)]
pub(super) struct Commits {
    /// In the order of their invocations.
    sets: Vec<Set>,
    /// What began before this event may be gone, because somebody deleted it.
    deleted_until: usize,
    /// The acknowledged commits, by number, in the order of their completions.
    acknowledged: Vec<usize>,
    /// For as many of them as its place says, and one more, the highest.
    highest: Vec<usize>,
    /// For each reading under way, by its invocation, how many were acknowledged before.
    readings: Vec<(usize, usize)>,
    /// What those who asked were rightly told: when they asked, and which offset.
    told: Vec<(usize, i64)>,
    /// When it was asked and told that there is none.
    gone: Vec<(usize, usize)>,
}

impl Commits {
    pub(super) fn invoke(&mut self, place: usize, generation: i32, offset: i64) {
        self.sets.push(Set { invoke: place, completion: None, generation, offset });
    }

    fn number(&self, invoke: usize) -> Option<usize> {
        self.sets.binary_search_by_key(&invoke, |set| set.invoke).ok()
    }

    /// It was refused: what nobody set cannot be read.
    pub(super) fn fail(&mut self, invoke: usize) {
        if let Some(number) = self.number(invoke) {
            // Its place stays, so that the others keep their numbers.
            self.sets[number].offset = i64::MIN;
        }
    }

    /// It was acknowledged. The offset that was acknowledged before it began, in the same generation, if that is higher.
    ///
    /// Unless somebody was rightly told of a lower one meanwhile, and went on from there: a commit of the same generation that
    /// the network held for long, and whose connection is gone, takes effect when it comes.
    pub(super) fn accept(&mut self, invoke: usize, place: usize) -> Option<(i64, usize)> {
        let number = self.number(invoke)?;
        self.sets[number].completion = Some(place);
        let set = self.sets[number];
        // A generation's commits stand together, so that few are looked at.
        let before = self.acknowledged.iter().rev().take(64).map(|number| self.sets[*number]);
        let before = before
            .filter(|before| before.invoke >= self.deleted_until)
            .find(|before| before.generation == set.generation && before.completion < Some(invoke));
        self.acknowledged.push(number);
        self.highest.push(self.highest.last().map_or(number, |highest| number.max(*highest)));
        let before = before.filter(|before| before.offset > set.offset && set.generation >= 0)?;
        let event = before.completion?;
        let was_set_back = self.told.iter().rev().take(64).any(|(asked, told)| {
            (event..invoke).contains(asked) && *told < before.offset && *told <= set.offset
        });
        (!was_set_back).then_some((before.offset, event))
    }

    /// Somebody deletes the offset, and has done so by this event.
    pub(super) fn may_be_deleted(&mut self, until: usize) {
        self.deleted_until = self.deleted_until.max(until);
    }

    /// Whether something was acknowledged by an event, and nobody can have deleted it since.
    pub(super) fn stood_at(&self, event: usize) -> bool {
        let set = |number: &usize| self.sets[*number];
        let acknowledged = self.acknowledged.iter().rev().map(set);
        acknowledged
            .take_while(|set| set.invoke >= self.deleted_until)
            .any(|set| set.completion <= Some(event))
    }

    /// Somebody asks for the offset.
    pub(super) fn ask(&mut self, place: usize) {
        self.readings.push((place, self.acknowledged.len()));
    }

    /// Who asked at the first of these events was told by the second that there is none.
    pub(super) fn is_gone(&mut self, invoke: usize, place: usize) {
        self.gone.push((invoke, place));
    }

    /// Whether all that set an offset was done before it was told that there is none, and by which event that was.
    fn came_back(&self, invoke: usize, found: i64) -> Option<usize> {
        let told = self.gone.partition_point(|(_, place)| *place < invoke);
        let (asked, event) = *self.gone.get(told.checked_sub(1)?)?;
        let mut sets = self.sets.iter().filter(|set| set.offset == found).peekable();
        sets.peek()?;
        sets.all(|set| set.completion.is_some_and(|completion| completion < asked)).then_some(event)
    }

    /// Somebody who asked then was told this.
    pub(super) fn find(&mut self, invoke: usize, found: Option<i64>) -> Found {
        let Ok(reading) = self.readings.binary_search_by_key(&invoke, |reading| reading.0) else {
            return Found::Right;
        };
        let acknowledged = self.readings[reading].1;
        // What was acknowledged before the question, and began last, has overwritten all that ended before it began.
        let last = acknowledged.checked_sub(1).map(|place| self.highest[place]);
        let Some(found) = found else {
            // Deleted after it, or at the same time.
            return match last.filter(|last| self.sets[*last].invoke >= self.deleted_until) {
                Some(last) => self.lost(last),
                None => Found::Right,
            };
        };
        if let Some(event) = self.came_back(invoke, found) {
            return Found::CameBack { event };
        }
        let newest = last.map_or(0, |last| self.sets[last].invoke);
        let mut known = false;
        for set in self.sets.iter().rev().filter(|set| set.offset == found) {
            known = true;
            if set.completion.is_none_or(|completion| completion > newest) {
                self.told.push((invoke, found));
                return Found::Right;
            }
        }
        match last {
            Some(last) if known => self.lost(last),
            _ => Found::Phantom,
        }
    }

    fn lost(&self, number: usize) -> Found {
        let set = self.sets[number];
        Found::Lost { offset: set.offset, event: set.completion.unwrap_or(set.invoke) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Commits 10 at 0..1 and 20 at 2..3.
    fn two() -> Commits {
        let mut commits = Commits::default();
        commits.invoke(0, 1, 10);
        assert_eq!(commits.accept(0, 1), None);
        commits.invoke(2, 1, 20);
        assert_eq!(commits.accept(2, 3), None);
        commits
    }

    #[test]
    fn who_was_told_of_a_late_commit_goes_on_from_there() {
        for is_told in [true, false] {
            let mut commits = Commits::default();
            commits.invoke(0, 1, 10);
            commits.invoke(1, 1, 20);
            assert_eq!(commits.accept(1, 2), None);
            if is_told {
                commits.ask(3);
                assert_eq!(commits.find(3, Some(10)), Found::Right);
            }
            commits.invoke(5, 1, 15);
            assert_eq!(commits.accept(5, 6), (!is_told).then_some((20, 2)));
        }
    }

    #[test]
    fn the_last_one_is_read() {
        let mut commits = two();
        commits.ask(4);
        assert_eq!(commits.find(4, Some(20)), Found::Right);
        assert_eq!(commits.find(4, Some(10)), Found::Lost { offset: 20, event: 3 });
        assert_eq!(commits.find(4, None), Found::Lost { offset: 20, event: 3 });
        assert_eq!(commits.find(4, Some(15)), Found::Phantom);
    }

    #[test]
    fn what_is_under_way_may_be_read_or_not() {
        let mut commits = two();
        commits.invoke(4, 2, 15);
        commits.ask(5);
        assert_eq!(commits.find(5, Some(15)), Found::Right);
        assert_eq!(commits.find(5, Some(20)), Found::Right);
        commits.fail(4);
        assert_eq!(commits.find(5, Some(15)), Found::Phantom);
    }

    #[test]
    fn within_a_generation_it_only_grows() {
        let mut commits = two();
        commits.invoke(4, 2, 15);
        assert_eq!(commits.accept(4, 5), None);
        commits.invoke(6, 2, 12);
        assert_eq!(commits.accept(6, 7), Some((15, 5)));
    }

    #[test]
    fn what_is_deleted_needs_not_be_there() {
        let mut commits = two();
        commits.may_be_deleted(5);
        commits.ask(5);
        assert_eq!(commits.find(5, None), Found::Right);
        assert_eq!(commits.find(5, Some(20)), Found::Right);
        commits.invoke(6, 2, 5);
        assert_eq!(commits.accept(6, 7), None);
        commits.ask(8);
        assert_eq!(commits.find(8, None), Found::Lost { offset: 5, event: 7 });
    }
}
