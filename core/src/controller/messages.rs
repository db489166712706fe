//! What brokers and the controller say to each other, as Kafka's messages carry it: AlterPartition, BrokerRegistration and
//! BrokerHeartbeat. Who receives one finds in it what the machines take, and nothing is left to be decided.

use alloc::{string::String, vec::Vec};

use super::sessions::{Heartbeat, HeartbeatAnswer};
use crate::{
    metadata::{
        Image, Outcome,
        command::{AlterPartition, IsrMember, RegisterBroker},
    },
    replica::Proposal,
    types::{BrokerEpoch, BrokerId, ErrorCode, PartitionIndex, TopicId, TopicPartition},
    wire::messages::{
        alter_partition::{
            AlterPartitionRequest, AlterPartitionResponse, BrokerState, PartitionData,
            PartitionResult, TopicData, TopicResult,
        },
        broker_heartbeat::{BrokerHeartbeatRequest, BrokerHeartbeatResponse},
        broker_registration::{BrokerRegistrationRequest, BrokerRegistrationResponse, Listener},
    },
};

/// The name of the listener that brokers and clients are told of.
const LISTENER: &str = "PLAINTEXT";

impl AlterPartitionRequest {
    /// What the leaders of a broker ask for, all of one incarnation.
    pub fn of(proposals: &[(TopicPartition, Proposal)]) -> Option<Self> {
        let (_, first) = proposals.first()?;
        let mut topics: Vec<TopicData> = Vec::new();
        for (id, proposal) in proposals {
            let member = |&(broker, epoch): &(BrokerId, BrokerEpoch)| BrokerState {
                broker_id: broker.0,
                broker_epoch: epoch.0,
            };
            let partition = PartitionData {
                partition_index: id.partition.0,
                leader_epoch: proposal.leader_epoch.0,
                new_isr_with_epochs: proposal.isr.iter().map(member).collect(),
                partition_epoch: proposal.partition_epoch,
                ..Default::default()
            };
            let topic_id = id.topic.0;
            match topics.iter_mut().find(|topic| topic.topic_id == topic_id) {
                Some(topic) => topic.partitions.push(partition),
                None => topics.push(TopicData { topic_id, partitions: [partition].into() }),
            }
        }
        Some(Self { broker_id: first.leader.0, broker_epoch: first.broker_epoch.0, topics })
    }

    /// What is to be proposed to the metadata quorum, in the order of the request.
    pub fn to_commands(&self) -> Vec<AlterPartition> {
        let of_topic = |topic: &TopicData| {
            let topic_id = topic.topic_id;
            let command = move |partition: &PartitionData| AlterPartition {
                broker_id: self.broker_id,
                broker_epoch: self.broker_epoch,
                topic_id,
                partition: partition.partition_index,
                leader_epoch: partition.leader_epoch,
                partition_epoch: partition.partition_epoch,
                isr: partition
                    .new_isr_with_epochs
                    .iter()
                    .map(|member| IsrMember {
                        broker_id: member.broker_id,
                        broker_epoch: member.broker_epoch,
                    })
                    .collect(),
            };
            topic.partitions.iter().map(command).collect::<Vec<_>>()
        };
        self.topics.iter().flat_map(of_topic).collect()
    }
}

impl AlterPartitionResponse {
    /// What became of each command of a request, and what the partitions are now.
    pub fn of(commands: &[AlterPartition], outcomes: &[Outcome], image: &Image) -> Self {
        let mut topics: Vec<TopicResult> = Vec::new();
        for (command, outcome) in commands.iter().zip(outcomes) {
            let topic_id = command.topic_id;
            let error = match outcome {
                Outcome::Refused(refusal) => refusal.code,
                Outcome::Applied | Outcome::ProducerIds { .. } | Outcome::BrokerEpoch(_) => {
                    ErrorCode::None
                }
            };
            let partition_index = command.partition;
            let state = image.partition(TopicId(topic_id), PartitionIndex(partition_index));
            let partition = match state.filter(|_| error == ErrorCode::None) {
                Some(state) => PartitionResult {
                    partition_index,
                    error_code: ErrorCode::None.code(),
                    leader_id: state.leader.map_or(-1, |leader| leader.0),
                    leader_epoch: state.leader_epoch.0,
                    isr: state.isr.iter().map(|member| member.0).collect(),
                    leader_recovery_state: i8::from(state.is_recovering),
                    partition_epoch: state.partition_epoch,
                },
                None => PartitionResult {
                    partition_index,
                    error_code: error.code(),
                    ..Default::default()
                },
            };
            match topics.iter_mut().find(|topic| topic.topic_id == topic_id) {
                Some(topic) => topic.partitions.push(partition),
                None => topics.push(TopicResult { topic_id, partitions: [partition].into() }),
            }
        }
        Self { topics, ..Default::default() }
    }

    /// What became of what was asked for each partition: for [`Replica::alter_refused`](crate::replica::Replica::alter_refused).
    pub fn results(&self) -> impl Iterator<Item = (TopicPartition, ErrorCode)> {
        let whole = error_of(self.error_code);
        self.topics.iter().flat_map(move |topic| {
            topic.partitions.iter().map(move |partition| {
                let id = TopicPartition {
                    topic: TopicId(topic.topic_id),
                    partition: PartitionIndex(partition.partition_index),
                };
                let error = whole.or_else(|| error_of(partition.error_code));
                (id, error.unwrap_or(ErrorCode::None))
            })
        })
    }
}

impl BrokerRegistrationRequest {
    /// As a broker of the cluster sends it.
    pub fn of(register: &RegisterBroker, cluster_id: impl Into<String>) -> Self {
        Self {
            broker_id: register.broker_id,
            cluster_id: cluster_id.into(),
            incarnation_id: register.incarnation,
            listeners: [Listener {
                name: LISTENER.into(),
                host: register.host.clone(),
                port: u16::try_from(register.port).unwrap_or_default(),
                security_protocol: 0,
            }]
            .into(),
            rack: register.rack.clone(),
            log_dirs: [register.directory].into(),
            previous_broker_epoch: register.previous_epoch,
            ..Default::default()
        }
    }

    /// What is to be proposed to the metadata quorum: the broker is fenced until it has caught up.
    pub fn to_command(&self, cluster_id: &str) -> Result<RegisterBroker, ErrorCode> {
        if self.cluster_id != cluster_id {
            return Err(ErrorCode::InconsistentClusterId);
        }
        let ([listener], [directory]) = (&self.listeners[..], &self.log_dirs[..]) else {
            return Err(ErrorCode::InvalidRequest);
        };
        Ok(RegisterBroker {
            broker_id: self.broker_id,
            incarnation: self.incarnation_id,
            host: listener.host.clone(),
            port: listener.port.into(),
            rack: self.rack.clone(),
            directory: *directory,
            fenced: true,
            previous_epoch: self.previous_broker_epoch,
        })
    }
}

impl BrokerRegistrationResponse {
    /// What became of a registration.
    pub fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::BrokerEpoch(epoch) => Self { broker_epoch: epoch.0, ..Default::default() },
            Outcome::Refused(refusal) => {
                Self { error_code: refusal.code.code(), ..Default::default() }
            }
            Outcome::Applied | Outcome::ProducerIds { .. } => {
                let error_code = ErrorCode::UnknownServerError.code();
                Self { error_code, ..Default::default() }
            }
        }
    }

    /// The broker's epoch, or why it has none.
    pub fn result(&self) -> Result<BrokerEpoch, ErrorCode> {
        error_of(self.error_code).map_or(Ok(BrokerEpoch(self.broker_epoch)), Err)
    }
}

impl From<Heartbeat> for BrokerHeartbeatRequest {
    fn from(heartbeat: Heartbeat) -> Self {
        Self {
            broker_id: heartbeat.broker.0,
            broker_epoch: heartbeat.epoch.0,
            current_metadata_offset: heartbeat.applied.cast_signed(),
            want_fence: heartbeat.wants_fence,
            want_shut_down: heartbeat.wants_shutdown,
            ..Default::default()
        }
    }
}

impl From<&BrokerHeartbeatRequest> for Heartbeat {
    fn from(request: &BrokerHeartbeatRequest) -> Self {
        Self {
            broker: BrokerId(request.broker_id),
            epoch: BrokerEpoch(request.broker_epoch),
            applied: u64::try_from(request.current_metadata_offset).unwrap_or_default(),
            wants_fence: request.want_fence,
            wants_shutdown: request.want_shut_down,
        }
    }
}

impl From<Result<HeartbeatAnswer, ErrorCode>> for BrokerHeartbeatResponse {
    fn from(result: Result<HeartbeatAnswer, ErrorCode>) -> Self {
        match result {
            Ok(answer) => Self {
                is_caught_up: answer.is_caught_up,
                is_fenced: answer.is_fenced,
                should_shut_down: answer.should_shut_down,
                ..Default::default()
            },
            Err(error) => Self { error_code: error.code(), ..Default::default() },
        }
    }
}

impl BrokerHeartbeatResponse {
    /// What the broker is told.
    pub fn result(&self) -> Result<HeartbeatAnswer, ErrorCode> {
        let answer = HeartbeatAnswer {
            is_caught_up: self.is_caught_up,
            is_fenced: self.is_fenced,
            should_shut_down: self.should_shut_down,
        };
        error_of(self.error_code).map_or(Ok(answer), Err)
    }
}

fn error_of(code: i16) -> Option<ErrorCode> {
    let error = ErrorCode::from_code(code).unwrap_or(ErrorCode::UnknownServerError);
    (error != ErrorCode::None).then_some(error)
}

#[cfg(test)]
mod tests {
    use alloc::{vec, vec::Vec};

    use super::*;
    use crate::{
        metadata::{
            Command, Refusal,
            command::{Assignment, CreateTopic},
        },
        types::{LeaderEpoch, Uuid},
        wire::{Reader, Version, Wire, Writer},
    };

    /// What comes of a message on its way.
    fn sent<T: Wire>(message: &T, version: i16) -> T {
        let version = Version { number: version, flexible: true };
        let mut writer = Writer::new();
        message.encode(&mut writer, version);
        T::decode(&mut Reader::new(writer.freeze()), version).expect("it is well formed")
    }

    fn register(broker_id: i32) -> RegisterBroker {
        RegisterBroker {
            broker_id,
            incarnation: Uuid::from_random(3),
            host: "here".into(),
            port: 9_092,
            rack: Some("r".into()),
            directory: Uuid::from_random(4),
            fenced: true,
            previous_epoch: 7,
        }
    }

    #[test]
    fn a_registration_is_carried() {
        let request = BrokerRegistrationRequest::of(&register(1), "cluster");
        assert_eq!(sent(&request, 4).to_command("cluster"), Ok(register(1)));
        assert_eq!(request.to_command("another"), Err(ErrorCode::InconsistentClusterId));
        let outcomes = [
            (Outcome::BrokerEpoch(BrokerEpoch(5)), Ok(BrokerEpoch(5))),
            (
                Outcome::Refused(Refusal::silent(ErrorCode::InvalidRequest)),
                Err(ErrorCode::InvalidRequest),
            ),
        ];
        for (outcome, result) in outcomes {
            assert_eq!(sent(&BrokerRegistrationResponse::of(&outcome), 4).result(), result);
        }
    }

    #[test]
    fn a_heartbeat_is_carried() {
        let heartbeat = Heartbeat {
            broker: BrokerId(1),
            epoch: BrokerEpoch(5),
            applied: 9,
            wants_fence: true,
            wants_shutdown: false,
        };
        assert_eq!(Heartbeat::from(&sent(&heartbeat.into(), 2)), heartbeat);
        let answer =
            HeartbeatAnswer { is_caught_up: true, is_fenced: false, should_shut_down: true };
        for result in [Ok(answer), Err(ErrorCode::StaleBrokerEpoch)] {
            assert_eq!(sent(&BrokerHeartbeatResponse::from(result), 2).result(), result);
        }
    }

    #[test]
    fn a_change_of_in_sync_replicas_is_carried() {
        let mut image = Image::default();
        let topic = TopicId(Uuid::from_random(1));
        let create = CreateTopic {
            name: "t".into(),
            topic_id: topic.0,
            assignments: vec![Assignment { replicas: vec![1, 2] }; 2],
            configs: Vec::new(),
        };
        let registered = |id| RegisterBroker { fenced: false, ..register(id) };
        let commands: [Command; 3] = [registered(1).into(), registered(2).into(), create.into()];
        for command in &commands {
            image.apply(command);
        }
        let proposal = |partition_epoch| Proposal {
            leader: BrokerId(1),
            broker_epoch: BrokerEpoch(1),
            leader_epoch: LeaderEpoch(0),
            partition_epoch,
            isr: vec![(BrokerId(1), BrokerEpoch(1))],
        };
        let id = |index| TopicPartition { topic, partition: PartitionIndex(index) };
        // The second has seen a state that is not there.
        let proposals = [(id(0), proposal(0)), (id(1), proposal(3))];
        let request = AlterPartitionRequest::of(&proposals).expect("there are some");
        let commands = sent(&request, 3).to_commands();
        let direct: Vec<_> =
            proposals.iter().map(|(id, proposal)| proposal.to_command(*id)).collect();
        assert_eq!(commands, direct, "no way leads to anything else");
        let outcomes: Vec<_> =
            commands.iter().map(|command| image.apply(&command.clone().into())).collect();
        let response = sent(&AlterPartitionResponse::of(&commands, &outcomes, &image), 3);
        let results: Vec<_> = response.results().collect();
        assert_eq!(results, [(id(0), ErrorCode::None), (id(1), ErrorCode::NotController)]);
        assert_eq!(response.topics[0].partitions[0].isr, [1]);
        assert_eq!(response.topics[0].partitions[0].partition_epoch, 1);
    }
}
