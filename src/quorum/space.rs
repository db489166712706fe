//! What the quorum writes when the disk is full: later. openraft ends for good at the first write that fails, and with it would
//! end all changes to the metadata until the broker is started again.

use std::{io, time::Duration};

use openraft::AsyncRuntime;
use ottla_core::disk::{DiskOp, IoError};

use super::{machine::failure, runtime::ShellRuntime};
use crate::world::{Disk, perform};

/// How long it takes until somebody looks for space again.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Carries out an operation that can be repeated, as soon as there is space for it. A sync is none: after one that has failed,
/// nobody knows what is on the disk.
pub(super) async fn perform_with_space<D: Disk>(disk: &D, op: DiskOp) -> io::Result<()> {
    let may_wait = !matches!(op, DiskOp::Sync { .. } | DiskOp::SyncAll);
    let mut has_waited = false;
    loop {
        let result = perform(disk, op.clone()).await;
        if result.failure() != Some(IoError::NoSpace) || !may_wait {
            if has_waited {
                tracing::info!("there is space for the metadata log again");
            }
            return failure(&result);
        }
        if !has_waited {
            tracing::error!(
                "no space left on the disk for the metadata log; topics and settings can be changed again when there is some"
            );
        }
        has_waited = true;
        ShellRuntime::sleep(RETRY_INTERVAL).await;
    }
}
