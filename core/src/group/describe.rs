//! What a group tells of itself.

use alloc::{string::String, vec::Vec};

use super::{Group, GroupState};
use crate::{
    inspect::GroupFigures,
    wire::messages::{
        describe_groups::{DescribedGroup, DescribedGroupMember},
        list_groups::ListedGroup,
    },
};

impl Group {
    /// For DescribeGroups.
    pub fn describe(&self) -> DescribedGroup {
        let is_stable = self.state == GroupState::Stable;
        let protocol = self.protocol.clone().filter(|_| is_stable).unwrap_or_default();
        let members = self.members.values().map(|member| {
            let metadata = member.metadata(&protocol).filter(|_| is_stable);
            DescribedGroupMember {
                member_id: member.id.clone(),
                group_instance_id: member.instance_id.clone(),
                client_id: member.client_id.clone(),
                client_host: member.client_host.clone(),
                member_metadata: metadata.cloned().unwrap_or_default(),
                member_assignment: member.assignment.clone(),
            }
        });
        DescribedGroup {
            group_id: self.id.clone(),
            group_state: self.state.name().into(),
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            protocol_data: protocol.clone(),
            members: members.collect(),
            ..Default::default()
        }
    }

    /// For ListGroups.
    pub fn list(&self) -> ListedGroup {
        ListedGroup {
            group_id: self.id.clone(),
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            group_state: self.state.name().into(),
            group_type: CLASSIC.into(),
        }
    }

    /// For metrics.
    pub fn figures(&self) -> GroupFigures {
        let offsets = self.offsets.iter();
        let offsets: Vec<(String, i32, crate::types::Offset)> = offsets
            .map(|(key, committed)| (key.topic.clone(), key.partition, committed.offset))
            .collect();
        GroupFigures {
            group: self.id.clone(),
            state: self.state.name(),
            members: self.members.len(),
            offsets,
        }
    }
}

/// The protocol that a group's members speak.
pub const CLASSIC: &str = "classic";
