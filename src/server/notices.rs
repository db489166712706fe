//! What the machines find worth knowing, as lines of the log.

use ottla_core::{
    machine::{CloseReason, ConnectionId},
    notice::Notice,
    wire::HeaderError,
};

/// Writes a line.
pub(super) fn log(notice: Notice) {
    match notice {
        Notice::Opening { open, total } => tracing::info!(open, total, "opening partitions"),
        Notice::LogRecovered { partition, recovered, end_offset } => tracing::info!(
            partition,
            scanned_bytes = recovered.scanned_bytes,
            truncated_bytes = recovered.truncated_bytes,
            end_offset = end_offset.0,
            "log recovered"
        ),
        Notice::JournalFailed { error } => tracing::warn!(
            %error,
            "the journal failed and is not used: small batches of many partitions take longer"
        ),
        Notice::StartFailed { error } => {
            tracing::error!(%error, "the data folder cannot be read; the broker does not start");
        }
        Notice::StorageFailed { partition, error } => tracing::error!(
            partition,
            %error,
            "the disk failed: the partition is not served until the broker is started again"
        ),
        Notice::DiskFull { partition } => tracing::error!(
            partition,
            "the disk is full: the partition takes no records until there is space"
        ),
        Notice::WritesRefused { free_bytes, reserve_bytes } => tracing::error!(
            free_bytes,
            reserve_bytes,
            "the disk is nearly full: records are refused until there is space; reads and deletions go on"
        ),
        Notice::WritesResumed { free_bytes } => {
            tracing::info!(free_bytes, "there is space again: records are taken");
        }
        Notice::BatchDamaged { partition, segment, byte } => tracing::error!(
            partition,
            segment = segment.0,
            byte,
            "a batch on disk is damaged and is not served; `ottla log verify` tells more"
        ),
        Notice::StrayDirectory { directory, set_aside_as } => tracing::warn!(
            directory,
            set_aside_as,
            "a directory belongs to no topic: it was set aside and can be deleted"
        ),
        Notice::SegmentsDeleted { partition, count, reason, start_offset } => tracing::info!(
            partition,
            count,
            ?reason,
            start_offset = start_offset.0,
            "old segments deleted"
        ),
        Notice::Compacted { partition, compacted } => tracing::info!(
            partition,
            bytes_before = compacted.bytes_before,
            bytes_after = compacted.bytes_after,
            "log compacted"
        ),
        Notice::CompactionDamaged { partition, segment, error } => tracing::error!(
            partition,
            segment = segment.0,
            %error,
            "a segment is damaged: the log is not compacted any more"
        ),
        Notice::RemovalFailed { partition, error } => {
            tracing::warn!(partition, %error, "a segment could not be removed, which will be tried again");
        }
        Notice::CompactionFailed { partition, error } => {
            tracing::warn!(partition, %error, "compaction failed, and will be tried again");
        }
        Notice::TopicCreated { name, id, partitions } => {
            tracing::info!(name, %id, partitions, "topic created");
        }
        Notice::TopicDeleted { name, id } => tracing::info!(name, %id, "topic deleted"),
        Notice::GroupRebalancing { group, generation, reason } => {
            tracing::info!(group, generation, reason, "group rebalancing");
        }
        Notice::GroupStable { group, generation, members } => {
            tracing::info!(group, generation, members, "group stable");
        }
        Notice::OffsetsExpired { group, count } => {
            tracing::info!(group, count, "committed offsets expired");
        }
        Notice::GroupsLoaded { partition, groups, offsets } => {
            tracing::info!(partition, groups, offsets, "groups loaded");
        }
    }
}

/// Writes a line on a connection that a shard ends.
pub(super) fn log_close(connection: ConnectionId, host: &str, reason: &CloseReason) {
    let reason = match reason {
        CloseReason::Header(HeaderError::UnknownKey(key)) => format!("no API has the key {key}"),
        CloseReason::Header(HeaderError::Malformed(error)) => {
            format!("the request's header is malformed: {error}")
        }
        CloseReason::UnsupportedVersion { key, version } => {
            format!("{} is not served in version {version}", key.name())
        }
        CloseReason::Malformed { key, version, error } => {
            format!("a {} of version {version} is malformed: {error}", key.name())
        }
        CloseReason::UnacknowledgedProduceFailed { detail } => {
            format!("a Produce that wants no answer failed: {detail}")
        }
    };
    tracing::warn!(%host, connection = connection.0, reason, "connection closed");
}
