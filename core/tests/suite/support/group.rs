//! What members of groups ask.

use bytes::Bytes;
use ottla_core::wire::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol};

pub(crate) fn join_request(group: &str, member: &str, instance: Option<&str>) -> JoinGroupRequest {
    let protocol = |name: &str| JoinGroupRequestProtocol {
        name: name.into(),
        metadata: Bytes::copy_from_slice(member.as_bytes()),
    };
    JoinGroupRequest {
        group_id: group.into(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 20_000,
        member_id: member.into(),
        group_instance_id: instance.map(Into::into),
        protocol_type: "consumer".into(),
        protocols: vec![protocol("range"), protocol("roundrobin")],
        ..Default::default()
    }
}
