//! Which versions of which APIs a connection speaks.

use std::{collections::BTreeMap, ops::RangeInclusive};

use bytes::Bytes;
use ottla_core::{
    types::ErrorCode,
    wire::{
        ApiKey, DecodeError, Reader, Wire,
        api::RequestMessage,
        decode_response_header,
        messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse},
    },
};

use super::{CallError, Connection, ServerError};

const KEY: ApiKey = ApiVersionsRequest::KEY;

/// What the broker offers, for each API that is known here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Versions(BTreeMap<ApiKey, RangeInclusive<i16>>);

impl Versions {
    /// Asks the broker. One that is older than the question answers in version 0 and names what it knows.
    pub(super) async fn negotiate(connection: &Connection) -> Result<Self, CallError> {
        let request = ApiVersionsRequest {
            client_software_name: "ottla".to_owned(),
            client_software_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let mut version = *KEY.versions().end();
        let mut response = exchange(connection, &request, version).await?;
        if response.error_code == ErrorCode::UnsupportedVersion.code() && version > 0 {
            version = Self::from(&response).common(KEY, Some(version - 1)).unwrap_or(0);
            response = exchange(connection, &request, version).await?;
        }
        ServerError::check(response.error_code, None).map_err(|error| CallError::Versions {
            address: connection.address().clone(),
            error,
        })?;
        Ok(Self::from(&response))
    }

    /// The highest version that both sides know, or what the broker offers where there is none.
    pub(super) fn common(
        &self,
        key: ApiKey,
        version_max: Option<i16>,
    ) -> Result<i16, Option<RangeInclusive<i16>>> {
        let Some(offered) = self.0.get(&key) else { return Err(None) };
        let ours = key.versions();
        let highest = (*offered.end()).min(*ours.end()).min(version_max.unwrap_or(i16::MAX));
        if highest < *offered.start() || highest < *ours.start() {
            return Err(Some(offered.clone()));
        }
        Ok(highest)
    }
}

impl From<&ApiVersionsResponse> for Versions {
    fn from(response: &ApiVersionsResponse) -> Self {
        let offered = response.api_keys.iter().filter_map(|api| {
            let key = ApiKey::from_code(api.api_key)?;
            Some((key, api.min_version..=api.max_version))
        });
        Self(offered.collect())
    }
}

async fn exchange(
    connection: &Connection,
    request: &ApiVersionsRequest,
    version: i16,
) -> Result<ApiVersionsResponse, CallError> {
    let response = connection.call_raw(request, version).await?;
    decode(response, version).map_err(|error| connection.malformed(KEY, version, error))
}

fn decode(response: Bytes, version: i16) -> Result<ApiVersionsResponse, DecodeError> {
    let mut reader = Reader::new(response);
    decode_response_header(&mut reader, KEY, version)?;
    let refused = reader.rest().starts_with(&ErrorCode::UnsupportedVersion.code().to_be_bytes());
    let version = KEY.version(if refused { 0 } else { version });
    let answer = ApiVersionsResponse::decode(&mut reader, version)?;
    reader.finish()?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offering(key: ApiKey, versions: RangeInclusive<i16>) -> Versions {
        Versions([(key, versions)].into())
    }

    #[test]
    fn the_highest_version_that_both_know() {
        let key = ApiKey::Metadata;
        let ours = *key.versions().end();
        assert_eq!(offering(key, 0..=9).common(key, None), Ok(9));
        assert_eq!(offering(key, 0..=999).common(key, None), Ok(ours));
        assert_eq!(offering(key, 0..=9).common(key, Some(4)), Ok(4));
        assert_eq!(offering(key, 5..=9).common(key, Some(4)), Err(Some(5..=9)));
        assert_eq!(offering(key, 500..=600).common(key, None), Err(Some(500..=600)));
        assert_eq!(offering(key, 0..=9).common(ApiKey::Fetch, None), Err(None));
    }

    #[test]
    fn a_refusal_is_read_as_version_0() {
        let refusal = Bytes::from_static(&[
            0, 0, 0, 0, // correlation id
            0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 3, // UNSUPPORTED_VERSION, ApiVersions 0 to 3
        ]);
        let response = decode(refusal, 4).map(|response| Versions::from(&response));
        assert_eq!(response, Ok(offering(ApiKey::ApiVersions, 0..=3)));
    }
}
