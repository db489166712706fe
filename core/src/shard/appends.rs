//! Appends end: who waited for them is told.

use super::{Shard, Step};
use crate::partition::{AppendResult, AppendTarget};

impl Shard {
    pub(super) fn append_ended(
        &mut self,
        target: AppendTarget,
        result: AppendResult,
        step: &mut Step<'_>,
    ) {
        match target {
            AppendTarget::Produce { request, index } => {
                self.produced(request, index, result, step);
            }
            AppendTarget::Coordinator { coordinator, token } => {
                self.coordinator_written(coordinator, token, result, step);
            }
            AppendTarget::Nobody => {}
        }
    }
}
