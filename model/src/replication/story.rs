//! What happens, in sentences.

use crate::harness::{Line, Story};

use super::{
    Replication,
    action::Action,
    state::{Message, State, number},
};

impl Replication {
    fn controller(&self) -> usize {
        usize::from(self.settings.replicas)
    }

    fn producer(&self) -> usize {
        self.controller() + 1
    }
}

impl Story for Replication {
    fn lanes(&self) -> Vec<String> {
        let brokers = self.brokers().map(|broker| format!("broker {broker}"));
        brokers.chain(["controller".into(), "producer".into()]).collect()
    }

    fn tell(&self, before: &State, action: &Action, after: &State) -> Vec<Line> {
        let line = |from: u8, text: String| Line { from: from.into(), to: from.into(), text };
        let control =
            |text: String| vec![Line { from: self.controller(), to: self.controller(), text }];
        let mut lines = match action {
            Action::Produce { to, record } => vec![Line {
                from: self.producer(),
                to: (*to).into(),
                text: format!("sends record {record} to broker {to}"),
            }],
            Action::GiveUpProduce(record) => vec![Line {
                from: self.producer(),
                to: self.producer(),
                text: format!("waits no longer for an answer to record {record}"),
            }],
            Action::Round { follower, answer_lost } => {
                self.tell_round(before, *follower, *answer_lost, after)
            }
            Action::Deliver(message) => self.tell_message(message, before, after),
            Action::Lose(_) => vec![line(0, "a request to the controller is lost".into())],
            Action::GiveUpFetch(broker) => vec![line(*broker, "gives its fetch up".into())],
            Action::Sync(broker) => vec![line(*broker, "has on disk what it has written".into())],
            Action::SyncTo(broker, to) => {
                vec![line(*broker, format!("has on disk what lies before {to}"))]
            }
            Action::Metadata(broker) | Action::CatchUp(broker) => {
                vec![line(*broker, tell_view(after, *broker))]
            }
            Action::Lag { leader, follower } => {
                vec![line(*leader, format!("finds that broker {follower} lags"))]
            }
            Action::AskAgain(broker) => vec![line(*broker, "asks the controller again".into())],
            Action::Kill(broker) => vec![line(*broker, "is killed".into())],
            Action::PowerLoss(broker, kept) => {
                let lost = after_crash(before, *broker, kept.0);
                vec![line(*broker, format!("loses its power, and {lost}"))]
            }
            Action::LoseDisk(broker) => vec![line(*broker, "loses its disk".into())],
            Action::Start(broker) => vec![line(*broker, "starts again".into())],
            Action::Stop(broker) => vec![line(*broker, "stops in order".into())],
            Action::Fence(broker) => {
                control(format!("does not hear from broker {broker} any more"))
            }
            Action::Unfence(broker) => control(format!("hears from broker {broker} again")),
            Action::Move(broker) => control(format!("is told to let broker {broker} lead")),
            Action::ShutDown(broker) => control(format!("is told that broker {broker} will stop")),
            Action::Lower => control("is told that one replica fewer has to be in sync".into()),
            Action::Reassign => control("is told to move the partition to other brokers".into()),
            Action::Cancel => control("is told to move it no more".into()),
            Action::Delete(broker) => vec![line(*broker, "deletes what is safe".into())],
            Action::Heal => vec![line(0, "nothing goes wrong from now on".into())],
        };
        self.tell_decision(before, after, &mut lines);
        let acked = after.acked.iter().filter(|&record| !before.acked.has(record));
        lines.extend(acked.map(|record| Line {
            from: self.producer(),
            to: self.producer(),
            text: format!("takes record {record} for acknowledged"),
        }));
        lines
    }
}

fn after_crash(before: &State, broker: u8, kept: i64) -> String {
    let batches = before.node(broker).log.batches().iter();
    let lost: Vec<_> = batches
        .filter(|batch| batch.base_offset.0 >= kept)
        .map(|batch| batch.payload.to_string())
        .collect();
    if lost.is_empty() { "keeps all".into() } else { format!("record {} with it", lost.join(", ")) }
}

fn tell_view(state: &State, broker: u8) -> String {
    let replica = &state.node(broker).replica;
    let epoch = replica.leader_epoch();
    match replica.view().leader.map(number) {
        Some(leader) if leader == broker => {
            let members: Vec<_> = replica.view().isr.iter().map(|member| member.0).collect();
            format!("learns that it leads in epoch {epoch}, with {members:?} in sync")
        }
        Some(leader) => format!("learns that broker {leader} leads in epoch {epoch}"),
        None => format!("learns that nobody leads since epoch {epoch}"),
    }
}

impl Replication {
    fn tell_round(
        &self,
        before: &State,
        follower: u8,
        answer_lost: bool,
        after: &State,
    ) -> Vec<Line> {
        let leader = before.node(follower).replica.follower().map(|known| number(known.leader()));
        let from = usize::from(follower);
        let to = leader.map_or(from, usize::from);
        let (old, new) = (&before.node(follower).log, &after.node(follower).log);
        let text = if answer_lost {
            format!("fetches from broker {to}, and the answer is lost")
        } else if new.batches().len() > old.batches().len() {
            {
                let record = new.batches().last().map_or(0, |batch| batch.payload);
                format!("fetches record {record} from broker {to}")
            }
        } else if new.batches().len() < old.batches().len() {
            format!(
                "fetches from broker {to}, and cuts its log off: {} records stay",
                new.batches().len()
            )
        } else {
            format!("fetches from broker {to}, and tells so how much it has")
        };
        vec![Line { from, to, text }]
    }

    fn tell_message(&self, message: &Message, before: &State, after: &State) -> Vec<Line> {
        match message {
            Message::Fetch { to, fetch, .. } => vec![Line {
                from: number(fetch.replica).into(),
                to: (*to).into(),
                text: format!("fetches from {} in epoch {}", fetch.offset, fetch.leader_epoch),
            }],
            Message::Answer { from, to, .. } => {
                let count = |state: &State| state.node(*to).log.batches().len();
                let text = match (count(before), count(after)) {
                    (old, new) if new < old => format!("answers, and {new} records stay"),
                    (old, new) if new > old => "answers with a record".into(),
                    _ => "answers".into(),
                };
                vec![Line { from: (*from).into(), to: (*to).into(), text }]
            }
            Message::Alter(proposal) => {
                let members: Vec<_> = proposal.isr.iter().map(|(member, _)| member.0).collect();
                vec![Line {
                    from: number(proposal.leader).into(),
                    to: self.controller(),
                    text: format!("asks for {members:?} in sync"),
                }]
            }
        }
    }

    fn tell_decision(&self, before: &State, after: &State, lines: &mut Vec<Line>) {
        let (old, new) = (before.partition(), after.partition());
        if old == new {
            return;
        }
        let ids = |brokers: &[ottla_core::types::BrokerId]| {
            brokers.iter().map(|broker| broker.0).collect::<Vec<_>>()
        };
        let leader = new.leader.map_or("nobody".into(), |leader| format!("broker {leader}"));
        let eligible = match ids(&new.elr) {
            none if none.is_empty() => String::new(),
            some => format!(", eligible {some:?}"),
        };
        let (epoch, isr) = (new.leader_epoch, ids(&new.isr));
        let text = format!("decides: {leader} leads in epoch {epoch}; in sync {isr:?}{eligible}");
        lines.push(Line { from: self.controller(), to: self.controller(), text });
    }
}
