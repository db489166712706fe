//! Newtypes for everything that Kafka numbers, so that one cannot stand where another belongs.

mod error_code;
mod ids;
mod offset;
mod time;
mod uuid;

pub use error_code::ErrorCode;
pub use ids::{
    BrokerEpoch, BrokerId, LeaderEpoch, PartitionIndex, ProducerEpoch, ProducerId, Sequence,
    TopicId, TopicPartition,
};
pub use offset::Offset;
pub use time::{Instant, Timestamp};
pub use uuid::Uuid;
