//! Who votes, as bytes.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use openraft::{BasicNode, Membership};

pub(super) type Voters = Membership<u64, BasicNode>;

/// The membership as bytes: the sets of voters, then the addresses of all nodes.
pub(super) fn encode(membership: &Voters) -> Bytes {
    let mut buffer = BytesMut::new();
    let sets = membership.get_joint_config();
    put_count(&mut buffer, sets.len());
    for set in sets {
        put_count(&mut buffer, set.len());
        for id in set {
            buffer.put_u64(*id);
        }
    }
    let nodes: Vec<_> = membership.nodes().collect();
    put_count(&mut buffer, nodes.len());
    for (id, node) in nodes {
        buffer.put_u64(*id);
        put_count(&mut buffer, node.addr.len());
        buffer.put_slice(node.addr.as_bytes());
    }
    buffer.freeze()
}

fn put_count(buffer: &mut BytesMut, count: usize) {
    buffer.put_u32(u32::try_from(count).unwrap_or(u32::MAX));
}

/// Reads a membership.
pub(super) fn decode(mut bytes: Bytes) -> Option<Voters> {
    let mut sets = Vec::new();
    for _ in 0..bytes.try_get_u32().ok()? {
        let mut set = BTreeSet::new();
        for _ in 0..bytes.try_get_u32().ok()? {
            set.insert(bytes.try_get_u64().ok()?);
        }
        sets.push(set);
    }
    let mut nodes = BTreeMap::new();
    for _ in 0..bytes.try_get_u32().ok()? {
        let id = bytes.try_get_u64().ok()?;
        let length = bytes.try_get_u32().ok()? as usize;
        if length > bytes.len() {
            return None;
        }
        let address = String::from_utf8(bytes.split_to(length).to_vec()).ok()?;
        nodes.insert(id, BasicNode::new(address));
    }
    Membership::new(sets, nodes).ok()
}
