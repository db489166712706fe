//! A path through the group's states, told in sentences.

use ottla_core::group::GroupTimer;

use super::{Action, Commits, Group, State};
use crate::harness::{Line, Story};

impl Group {
    /// The lane of the coordinator.
    fn coordinator_lane(&self) -> usize {
        self.clients
    }

    /// Who has an id.
    fn whose(&self, state: &State, id: &str) -> Option<usize> {
        let now = state.clients.iter().position(|client| client.member_id == id);
        now.or_else(|| self.ids.iter().position(|ids| ids.iter().any(|known| known == id)))
    }

    fn partition(&self, partition: usize) -> String {
        if self.records.len() == 1 { String::new() } else { format!(" of partition {partition}") }
    }

    fn tell_timer(&self, before: &State, timer: &GroupTimer) -> String {
        let name = |id: &str| {
            let number = self.whose(before, id).map_or(0, |number| number + 1);
            format!("consumer {number}")
        };
        match timer {
            GroupTimer::Pending(id) => format!("has not heard again of {}", name(id)),
            GroupTimer::Session(id) => {
                format!("has had no heartbeat of {} for too long and removes it", name(id))
            }
            GroupTimer::Join => "does not wait for other members any longer".into(),
            GroupTimer::Sync => "removes the members that did not ask for their assignment".into(),
        }
    }

    fn tell_end(&self, before: &State, after: &State, to: usize) -> Vec<Line> {
        let lane = self.coordinator_lane();
        let changed = (0..self.records.len()).filter_map(|partition| {
            let (was, is) = (before.broker.committed(partition), after.broker.committed(partition));
            (was != is && after.broker.loaded).then(|| {
                let of = self.partition(partition);
                let text = if is < 0 {
                    format!("knows no committed offset{of} any more")
                } else {
                    format!("has the committed offset {is}{of}")
                };
                Line { from: lane, to, text }
            })
        });
        changed.collect()
    }
}

impl Story for Group {
    fn lanes(&self) -> Vec<String> {
        let consumers = (1..=self.clients).map(|number| format!("consumer {number}"));
        consumers.chain(["coordinator".into()]).collect()
    }

    fn tell(&self, before: &State, action: &Action, after: &State) -> Vec<Line> {
        let lane = self.coordinator_lane();
        let line = |from, to, text: String| vec![Line { from, to, text }];
        let mut lines = match action {
            Action::Join(number) if before.clients[*number].member_id.is_empty() => {
                line(*number, lane, "asks to join the group, and is given an id".into())
            }
            Action::Join(number) => line(*number, lane, "joins the group".into()),
            Action::Sync(number) => line(*number, lane, "asks for its assignment".into()),
            Action::Heartbeat(number) => line(
                lane,
                *number,
                format!("tells consumer {} that the group has changed", number + 1),
            ),
            Action::Revoke(number) => line(*number, *number, "gives partitions back".into()),
            Action::FetchOffset(number, partition) => {
                let of = self.partition(*partition);
                let committed = before.broker.committed(*partition);
                let text = if committed < 0 {
                    format!(
                        "tells consumer {} that nothing is committed{of}: it begins with record 0",
                        number + 1
                    )
                } else {
                    format!("tells consumer {} to go on{of} with record {committed}", number + 1)
                };
                line(lane, *number, text)
            }
            Action::Poll(number, partition) => {
                let record = before.clients[*number].owned[partition].position.unwrap_or_default();
                let of = self.partition(*partition);
                // Until it has processed the record, it might as well not have fetched it.
                let at_once = self.commits == Commits::AfterProcessing;
                let and = if at_once { " and processes it" } else { "" };
                line(*number, *number, format!("fetches record {record}{of}{and}"))
            }
            Action::Process(number, partition) => {
                let record = before.clients[*number].owned[partition].hand.unwrap_or_default();
                let of = self.partition(*partition);
                line(*number, *number, format!("processes record {record}{of}"))
            }
            Action::Commit(number, partition) => {
                let offset = before.clients[*number].owned[partition].to_commit.unwrap_or_default();
                let of = self.partition(*partition);
                let by_itself = if self.commits == Commits::Auto { " (auto-commit)" } else { "" };
                line(*number, lane, format!("commits offset {offset}{of}{by_itself}"))
            }
            Action::Deliver(index) => {
                let sent = &before.commits[*index];
                let text = if after.broker.writes.len() > before.broker.writes.len() {
                    format!("takes the commit of offset {} and writes it down", sent.offset)
                } else {
                    format!("refuses the commit of offset {}", sent.offset)
                };
                line(lane, sent.client, text)
            }
            Action::Written => line(lane, lane, "has written it down".into()),
            Action::TimeOut(timer) => line(lane, lane, self.tell_timer(before, timer)),
            Action::Crash(number) => line(*number, *number, "crashes and starts again".into()),
            Action::Die(number) => line(*number, *number, "crashes for good".into()),
            Action::Disconnect(number) => line(*number, lane, "loses its connection".into()),
            Action::Move(0) if before.broker.writes.is_empty() => {
                line(lane, lane, "moves to another broker".into())
            }
            Action::Move(durable) => {
                let lost = before.broker.writes.len() - durable;
                line(lane, lane, format!("moves to another broker; {lost} of its writes are lost"))
            }
            Action::Load => line(lane, lane, "has loaded the group".into()),
            Action::ExpireOffsets => line(lane, lane, "looks for offsets that are too old".into()),
            Action::Heal => Vec::new(),
        };
        lines.extend(self.tell_end(before, after, lane));
        lines
    }
}
