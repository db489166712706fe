//! InitProducerId (API key 22), after Apache Kafka 4.3.1's schemas.

use alloc::string::String;

use crate::wire::message::message;

message! {
    /// The request, API key 22.
    InitProducerIdRequest {
        /// The transactional id, or null if the producer is not transactional.
        [0..] transactional_id: Option<String>,
        /// The time in ms to wait before aborting idle transactions sent by this producer. This is
        /// only relevant if a TransactionalId has been defined.
        [0..] transaction_timeout_ms: i32,
        /// The producer id. This is used to disambiguate requests if a transactional id is reused
        /// following its expiration.
        [3..] producer_id: i64 = -1,
        /// The producer's current epoch. This will be checked against the producer epoch on the
        /// broker, and the request will return an error if they do not match.
        [3..] producer_epoch: i16 = -1,
        /// True if the client wants to enable two-phase commit (2PC) protocol for transactions.
        [6..] enable2_pc: bool,
        /// True if the client wants to keep the currently ongoing transaction instead of aborting
        /// it.
        [6..] keep_prepared_txn: bool,
    }

    /// The response, API key 22.
    InitProducerIdResponse {
        /// The duration in milliseconds for which the request was throttled due to a quota
        /// violation, or zero if the request did not violate any quota.
        [0..] throttle_time_ms: i32,
        /// The error code, or 0 if there was no error.
        [0..] error_code: i16,
        /// The current producer id.
        [0..] producer_id: i64 = -1,
        /// The current epoch associated with the producer id.
        [0..] producer_epoch: i16,
        /// The producer id for ongoing transaction when KeepPreparedTxn is used, -1 if there is no
        /// transaction ongoing.
        [6..] ongoing_txn_producer_id: i64 = -1,
        /// The epoch associated with the  producer id for ongoing transaction when KeepPreparedTxn
        /// is used, -1 if there is no transaction ongoing.
        [6..] ongoing_txn_producer_epoch: i16 = -1,
    }
}
