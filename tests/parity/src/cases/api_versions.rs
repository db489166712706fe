//! ApiVersions.

use ottla_core::wire::{ApiKey, Writer, messages::api_versions::ApiVersionsRequest};

use super::Cases;
use crate::{
    case::{A, Case},
    client::{frame, raw_request},
};

pub(super) fn cases(cases: &mut Cases) {
    plain(cases);
    unsupported(cases);
    client_software(cases);
}

fn software(name: &str, version: &str) -> ApiVersionsRequest {
    ApiVersionsRequest {
        client_software_name: name.to_owned(),
        client_software_version: version.to_owned(),
    }
}

/// What a broker serves is kept once for each version.
fn leave_out_listing(c: &mut Case) {
    for field in
        ["api_keys", "supported_features", "finalized_features", "finalized_features_epoch"]
    {
        c.leave_out(field);
    }
}

fn plain(cases: &mut Cases) {
    cases.each(ApiKey::ApiVersions.versions(), "plain", |c, v| {
        c.ask(v, software("parity", "1.0"))?;
        Ok(())
    });
    cases.case("twice-on-a-connection", |c| {
        leave_out_listing(c);
        for version in [0, 4, 3] {
            c.ask(version, software("parity", "1.0"))?;
        }
        Ok(())
    });
}

/// A version that is not supported is answered in version 0, and the connection goes on.
fn unsupported(cases: &mut Cases) {
    for (what, version) in [("5", 5), ("99", 99), ("greatest", i16::MAX), ("negative", -1)] {
        cases.case(&format!("unsupported-version-{what}"), move |c| {
            let mut body = Writer::new();
            let newest = ApiKey::ApiVersions.version(4);
            ottla_core::wire::Wire::encode(&software("parity", "1.0"), &mut body, newest);
            let request = frame(&raw_request(18, version, version >= 3, body.as_slice()));
            c.raw::<ApiVersionsRequest>(&format!("ApiVersions v{version}"), &request, 0)?;
            c.note("then on the same connection");
            leave_out_listing(c);
            c.outcome(A, 3, software("parity", "1.0"))?;
            Ok(())
        });
    }
    cases.case("unsupported-version-without-body", |c| {
        let request = frame(&raw_request(18, 7, false, &[]));
        c.raw::<ApiVersionsRequest>("ApiVersions v7 with nothing after the client id", &request, 0)
    });
}

fn client_software(cases: &mut Cases) {
    for (what, name, version) in [
        ("empty-name", "", "1.0"),
        ("empty-version", "parity", ""),
        ("name-with-space", "par ity", "1.0"),
        ("name-begins-with-dash", "-parity", "1.0"),
        ("name-ends-with-dot", "parity.", "1.0"),
        ("name-with-all-characters", "p-A.r1", "1.0-SNAPSHOT.x"),
        ("name-with-underscore", "par_ity", "1.0"),
        ("version-with-space", "parity", "1 0"),
        ("version-with-plus", "parity", "1.0+build"),
        ("name-not-ascii", "pärity", "1.0"),
    ] {
        cases.case(&format!("software-{what}"), move |c| {
            leave_out_listing(c);
            for api_version in [3, 4] {
                c.outcome(A, api_version, software(name, version))?;
            }
            Ok(())
        });
    }
}
