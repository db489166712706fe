//! The life of a shard that starts over an empty disk and takes two requests.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use ottla_core::{
    disk::{DiskOp, IoError},
    machine::ConnectionId,
    metadata::{
        Image,
        command::{Assignment, CreateTopic, RegisterBroker},
    },
    types::{BrokerId, Timestamp, Uuid},
    wire::{
        RequestHeader, Writer,
        messages::{api_versions::ApiVersionsRequest, metadata::MetadataRequest},
    },
};

use super::*;

const NOW: Now = Now { instant: Instant(5), timestamp: Timestamp(1_700_000_000_000) };

fn config() -> ShardConfig {
    let mut image = Image::default();
    let register = RegisterBroker { broker_id: 1, port: 9_092, ..Default::default() };
    let create = CreateTopic {
        name: "t".into(),
        topic_id: Uuid::from_random(7),
        assignments: vec![Assignment { replicas: vec![1] }],
        configs: Vec::new(),
    };
    for command in [register.into(), create.into()] {
        image.apply(&command);
    }
    ShardConfig {
        broker_id: BrokerId(1),
        cluster_id: "cluster".into(),
        log_directory: "/data".into(),
        configuration: BTreeMap::new(),
        image,
        seed: 1,
    }
}

fn frame(request: ottla_core::wire::Request, version: i16) -> Bytes {
    let mut writer = Writer::new();
    let header = RequestHeader { key: request.key(), version, correlation_id: 1, client_id: None };
    header.encode(&mut writer);
    request.encode(&mut writer, version);
    writer.freeze()
}

fn life() -> Life {
    let mut effects = Effects::new();
    let mut shard = Shard::new(config(), NOW, &mut effects);
    let mut asked: VecDeque<_> = effects.as_slice().iter().cloned().collect();
    let mut life = Life::begin(NOW, config(), said_by(&shard, &mut effects));
    let connection = ConnectionId(1);
    let mut requests = VecDeque::from([
        Input::Connected { connection, host: "elsewhere".into() },
        Input::Frame { connection, frame: frame(ApiVersionsRequest::default().into(), 0) },
        Input::Frame { connection, frame: frame(MetadataRequest::default().into(), 1) },
        Input::Rest,
    ]);
    loop {
        let input = match asked.pop_front() {
            Some(Effect::Disk { io, op: DiskOp::List(_) }) => {
                Input::Disk { io, result: DiskResult::Entries(Vec::new()) }
            }
            Some(Effect::Disk { io, op: DiskOp::Read { .. } }) => {
                Input::Disk { io, result: DiskResult::Failed(IoError::NotFound) }
            }
            Some(Effect::Disk { io, .. }) => Input::Disk { io, result: DiskResult::Done },
            Some(_) => continue,
            None => match requests.pop_front() {
                Some(input) => input,
                None => return life,
            },
        };
        shard.handle(NOW, input.clone(), &mut effects);
        asked.extend(effects.as_slice().iter().cloned());
        life.push(NOW, copied(&input), said_by(&shard, &mut effects));
    }
}

#[test]
fn a_fresh_shard_does_the_same() {
    let life = life();
    let is_answer = |effect: &String| effect.starts_with("Send {");
    assert!(life.steps.iter().any(|(_, _, said)| said.effects.iter().any(is_answer)));
    assert_eq!(life.replay(None), Ok(life.steps.len()));
}

/// Whichever of the inputs that something was said to is another one, a difference is found.
#[test]
fn an_altered_input_is_noticed() {
    let life = life();
    let said_to = |(_, (_, _, said)): &(usize, &(Now, Input, Said))| !said.effects.is_empty();
    let mut altered_inputs = 0;
    for (place, (_, input, _)) in life.steps.iter().enumerate().filter(said_to) {
        let mut altered = life.clone();
        altered.steps[place].1 = if let Input::Disk { io, .. } = input {
            Input::Disk { io: *io, result: DiskResult::Failed(IoError::Os(5)) }
        } else if let Input::Frame { connection, .. } = input {
            Input::Disconnected { connection: *connection }
        } else {
            continue;
        };
        let difference = altered.replay(None).expect_err("it is told something else");
        assert!(difference.step > place, "not before: {difference:?}");
        assert_ne!(difference.said[0], difference.said[1]);
        altered_inputs += 1;
    }
    assert!(altered_inputs > 2, "there are some of each kind");
}

#[test]
fn altered_effects_are_noticed() {
    let mut life = life();
    life.born.effects.pop();
    assert_eq!(life.replay(None).expect_err("there is one less").step, 0);
}

#[test]
fn what_there_is_no_memory_for_is_counted() {
    let whole = life();
    let recording = Recording::new(2_000);
    let shard = recording.begin(Life::begin(whole.now, whole.config, whole.born));
    let count = whole.steps.len() as u64;
    for (now, input, said) in whole.steps {
        recording.push(shard, now, input, said);
    }
    let replayed = recording.replay();
    assert!(replayed.difference.is_none());
    assert!(replayed.inputs > 0 && replayed.left_out > 0);
    assert_eq!(replayed.inputs + replayed.left_out, count);
}
