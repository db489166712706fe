//! Both stories, side by side.

use super::{Action, Delivery, State};
use crate::harness::{Line, Story};

impl Story for Delivery {
    fn lanes(&self) -> Vec<String> {
        let mut lanes = self.replication.lanes();
        lanes.extend(self.group.lanes());
        lanes
    }

    fn tell(&self, before: &State, action: &Action, after: &State) -> Vec<Line> {
        match action {
            Action::Partition(action) => {
                self.replication.tell(&before.partition, action, &after.partition)
            }
            Action::Group(action) => {
                let first = self.replication.lanes().len();
                let lines = self.group.tell(&before.group, action, &after.group).into_iter();
                let shifted = |line: Line| Line {
                    from: line.from + first,
                    to: line.to + first,
                    text: line.text,
                };
                lines.map(shifted).collect()
            }
            Action::Heal => Vec::new(),
        }
    }
}
