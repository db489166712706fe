//! From the start of a broker's process to the first record that is acknowledged and durable, and idleness after it.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use ottla_core::types::{ErrorCode, Uuid};
use serde_json::{Value, json};

use super::{
    CompareError,
    broker::Broker,
    case::{FLUSH_MESSAGES, Volume},
    interrupt::Interrupt,
    template::Contender,
};
use crate::{
    cli::{
        bench::{
            args::{BatchArgs, ConnectionArgs},
            control::Stop,
            frames::TopicRef,
            lanes::Led,
            meter::Goal,
            process::Process,
            produce::Production,
            target::Target,
        },
        produce::{AcksArg, CompressionArg},
    },
    client::{
        Client, ClientConfig,
        admin::{NewTopic, create_topic},
    },
};

/// How long one attempt may take: the next one may be luckier.
const ATTEMPT_MAX: Duration = Duration::from_secs(10);
const RECORD_BYTES: u64 = 1024;
const PRODUCE_VERSION: i16 = 9;

/// Starts a broker twice in `folder`: the first start, in which it makes itself at home, does not count.
pub(super) fn measure(
    contender: &Contender,
    knows_flush: bool,
    folder: &Path,
    volume: &Volume,
    interrupt: &Interrupt,
) -> Result<Value, CompareError> {
    let mut first = Broker::launch(contender, folder)?;
    first.await_ready(interrupt)?;
    write_record(&mut first, "first", knows_flush, interrupt)?;
    drop(first);
    rustix::fs::sync();
    let mut second = Broker::launch(contender, folder)?;
    second.await_ready(interrupt)?;
    let time = write_record(&mut second, "second", knows_flush, interrupt)?;
    let process = Process::Other(second.pid());
    // What is left of starting is not idleness.
    interrupt.pause(volume.idle)?;
    let (begin, before) = (Instant::now(), process.usage()?);
    interrupt.pause(volume.idle)?;
    let after = process.usage()?;
    let cpu = after.cpu.saturating_sub(before.cpu).as_secs_f64();
    Ok(json!({
        "first_record_ms": time.as_secs_f64() * 1e3,
        "idle_memory_mb": after.memory_bytes as f64 / 1e6,
        "idle_cpu_percent": cpu / begin.elapsed().as_secs_f64() * 100.0,
    }))
}

/// Writes one record to a new topic, and returns how long that was after the start of the broker.
fn write_record(
    broker: &mut Broker,
    topic: &str,
    knows_flush: bool,
    interrupt: &Interrupt,
) -> Result<Duration, CompareError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CompareError::io("the runtime"))?;
    let flush = knows_flush.then(|| (FLUSH_MESSAGES.to_owned(), "1".to_owned()));
    let new = NewTopic {
        name: topic.to_owned(),
        partitions: Some(1),
        replication_factor: None,
        configs: flush.into_iter().collect(),
    };
    let address = broker.address.clone();
    let config = ClientConfig {
        connect_timeout: ATTEMPT_MAX,
        request_timeout: ATTEMPT_MAX,
        ..ClientConfig::default()
    };
    broker.retry(interrupt, || {
        let client = Client::new(vec![address.clone()], config.clone());
        match runtime.block_on(create_topic(&client, &new)) {
            Ok(()) => Ok(()),
            // An attempt before this one may have succeeded without saying so.
            Err(error) if error.is(ErrorCode::TopicAlreadyExists) => Ok(()),
            Err(error) => Err(CompareError::Loader(error.to_string())),
        }
    })?;
    let topic = TopicRef { name: topic.to_owned(), id: Uuid::ZERO };
    let production = one_record(&topic);
    let led = Led { partition: 0, leader: address };
    let target = Target { topic, partitions: vec![led], is_new: true };
    broker.retry(interrupt, || {
        let watch = (Duration::ZERO, None);
        Ok(production.run(&target, None, Goal::Bytes(1), watch, Stop::default()).map(drop)?)
    })?;
    Ok(broker.started.elapsed())
}

fn one_record(topic: &TopicRef) -> Production {
    let batch = BatchArgs {
        record_bytes: RECORD_BYTES,
        compression: CompressionArg::None,
        acks: AcksArg::All,
        produce_version: PRODUCE_VERSION,
    };
    Production::new(topic, &batch, 0, &ConnectionArgs { connections: 1, in_flight: 1 })
}
