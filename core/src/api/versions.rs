//! ApiVersions.

use alloc::vec::Vec;

use crate::{
    shard::{Incoming, Shard, Step},
    types::ErrorCode,
    wire::{
        ApiKey,
        messages::api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse},
    },
};

/// What is spoken, with an error for a client that asked in a version that is too new.
pub(crate) fn unsupported_api_versions() -> ApiVersionsResponse {
    // Kafka names ApiVersions alone, which is all that the client needs to ask again.
    let versions = ApiKey::ApiVersions.advertised_versions();
    ApiVersionsResponse {
        error_code: ErrorCode::UnsupportedVersion.code(),
        api_keys: [ApiVersion {
            api_key: ApiKey::ApiVersions.code(),
            min_version: *versions.start(),
            max_version: *versions.end(),
        }]
        .into(),
        ..Default::default()
    }
}

impl Shard {
    pub(super) fn api_versions(
        &mut self,
        asked: &Incoming,
        request: &ApiVersionsRequest,
        step: &mut Step<'_>,
    ) {
        let named = [&request.client_software_name, &request.client_software_version];
        if asked.version >= 3 && !named.iter().all(|name| is_software_name(name)) {
            let error_code = ErrorCode::InvalidRequest.code();
            self.answer(asked.id, ApiVersionsResponse { error_code, ..Default::default() }, step);
            return;
        }
        let api_keys: Vec<_> = ApiKey::ALL
            .iter()
            .map(|key| ApiVersion {
                api_key: key.code(),
                min_version: *key.advertised_versions().start(),
                max_version: *key.advertised_versions().end(),
            })
            .collect();
        let response =
            ApiVersionsResponse { api_keys, finalized_features_epoch: 0, ..Default::default() };
        self.answer(asked.id, response, step);
    }
}

/// Letters, digits, dashes and dots, with a letter or digit at both ends (KIP-511).
fn is_software_name(name: &str) -> bool {
    let is_plain = |c: u8| c.is_ascii_alphanumeric();
    let bytes = name.as_bytes();
    bytes.first().copied().is_some_and(is_plain)
        && bytes.last().copied().is_some_and(is_plain)
        && bytes.iter().all(|&c| is_plain(c) || c == b'-' || c == b'.')
}
