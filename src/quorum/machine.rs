//! What the committed entries come to: the image. And its snapshots.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt};
use openraft::{
    EntryPayload, OptionalSend, RaftSnapshotBuilder,
    storage::{EntryResponder, RaftStateMachine},
    type_config::alias::{LogIdOf, SnapshotMetaOf, SnapshotOf, StoredMembershipOf},
};
use ottla_core::{
    disk::{DirectoryId, DiskOp, DiskResult, FileName, FileRef, IoError},
    log::checkpoint_file::replace,
    metadata::{
        Image, Outcome,
        log::{LogSnapshot, frame, unframe},
    },
    mutants::{Mutant, planted},
};

use super::{Decision, Tell, Types, membership, space::perform_with_space, store::log_id};
use crate::world::{Disk, perform};

type Snapshot = SnapshotOf<Types, Vec<u8>>;
type SnapshotMeta = SnapshotMetaOf<Types>;

const SNAPSHOT: FileRef =
    FileRef { directory: DirectoryId::METADATA, name: FileName::Fixed("snapshot") };
const SNAPSHOT_ASIDE: &str = "snapshot.tmp";
const SNAPSHOT_BYTES_MAX: u32 = 1 << 30;

/// The image, and how far it has come.
#[derive(Default)]
struct State {
    image: Image,
    applied: Option<LogIdOf<Types>>,
    voters: StoredMembershipOf<Types>,
    snapshot: Option<(SnapshotMeta, Bytes)>,
    follower: Option<Tell>,
}

/// The state machine, as openraft knows it.
pub(super) struct Machine<D> {
    disk: D,
    state: Arc<Mutex<State>>,
}

impl<D: Clone> Clone for Machine<D> {
    fn clone(&self) -> Self {
        Self { disk: self.disk.clone(), state: Arc::clone(&self.state) }
    }
}

pub(super) fn failure(result: &DiskResult) -> io::Result<()> {
    result.failure().map_or(Ok(()), |error| Err(io::Error::other(error)))
}

/// Reads a file that need not be there. One that cannot be read is not taken for one that is not there.
pub(super) async fn read_if_there<D: Disk>(disk: &D, read: DiskOp) -> io::Result<Option<Bytes>> {
    match perform(disk, read).await {
        DiskResult::Bytes(bytes) => Ok(Some(bytes)),
        DiskResult::Failed(IoError::NotFound) => Ok(None),
        result @ (DiskResult::Done | DiskResult::Entries(_) | DiskResult::Failed(_)) => {
            failure(&result).map(|()| None)
        }
    }
}

/// Puts a file in the place of another.
pub(super) async fn replace_file<D: Disk>(
    disk: &D,
    file: FileRef,
    aside: &'static str,
    content: Bytes,
) -> io::Result<()> {
    for op in replace(file, aside, content) {
        if planted(Mutant::VoteNotSynced) && matches!(op, DiskOp::Sync { .. }) {
            continue;
        }
        perform_with_space(disk, op).await?;
    }
    Ok(())
}

impl<D: Disk> Machine<D> {
    /// Opens the state machine at its last snapshot, and tells which entry that covers.
    pub(super) async fn open(disk: D) -> io::Result<(Self, Option<LogIdOf<Types>>)> {
        let read = DiskOp::Read { file: SNAPSHOT, position: 0, length: SNAPSHOT_BYTES_MAX };
        let mut state = State::default();
        if let Some(mut bytes) = read_if_there(&disk, read).await? {
            let damaged = || {
                io::Error::other(
                    "the metadata snapshot is damaged: restore the folder metadata from a copy",
                )
            };
            let snapshot: LogSnapshot = unframe(&mut bytes).ok_or_else(damaged)?;
            state.restore(&snapshot).ok_or_else(damaged)?;
        }
        let applied = state.applied;
        Ok((Self { disk, state: Arc::new(Mutex::new(state)) }, applied))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The image; whatever is applied from now on is told to `tell`.
    pub(super) fn follow(&self, tell: Tell) -> Image {
        let mut state = self.state();
        state.follower = Some(tell);
        state.image.clone()
    }
}

impl State {
    fn restore(&mut self, snapshot: &LogSnapshot) -> Option<()> {
        self.image = Image::from_bytes(snapshot.image.clone()).ok()?;
        self.applied = log_id(snapshot.term, snapshot.leader, snapshot.index);
        let voters = membership::decode(snapshot.membership.clone())?;
        self.voters = StoredMembershipOf::<Types>::new(self.applied, voters);
        let meta = SnapshotMeta { last_log_id: self.applied, last_membership: self.voters.clone() };
        self.snapshot = Some((meta, snapshot.image.clone()));
        Some(())
    }

    fn record(&self) -> LogSnapshot {
        LogSnapshot {
            term: self.applied.map_or(0, |id| id.leader_id.term.cast_signed()),
            leader: self
                .applied
                .and_then(|id| i32::try_from(id.leader_id.node_id).ok())
                .unwrap_or_default(),
            index: self.applied.map_or(-1, |id| id.index.cast_signed()),
            membership: membership::encode(self.voters.membership()),
            image: self.image.to_bytes(),
        }
    }
}

impl<D: Disk> RaftSnapshotBuilder<Types> for Machine<D> {
    type SnapshotData = Vec<u8>;

    async fn build_snapshot(&mut self) -> Result<Snapshot, io::Error> {
        let (record, meta) = {
            let state = self.state();
            let last_membership = state.voters.clone();
            (state.record(), SnapshotMeta { last_log_id: state.applied, last_membership })
        };
        replace_file(&self.disk, SNAPSHOT, SNAPSHOT_ASIDE, frame(&record)).await?;
        let snapshot = record.image.to_vec();
        self.state().snapshot = Some((meta.clone(), record.image));
        Ok(Snapshot { meta, snapshot })
    }
}

impl<D: Disk> RaftStateMachine<Types> for Machine<D> {
    type SnapshotData = Vec<u8>;
    type SnapshotBuilder = Self;

    async fn applied_state(
        &mut self,
    ) -> Result<(Option<LogIdOf<Types>>, StoredMembershipOf<Types>), io::Error> {
        let state = self.state();
        Ok((state.applied, state.voters.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<Types>, io::Error>> + Unpin + OptionalSend,
    {
        while let Some((entry, responder)) = entries.try_next().await? {
            let mut state = self.state();
            state.applied = Some(entry.log_id);
            match entry.payload {
                EntryPayload::Blank => {}
                EntryPayload::Normal(proposed) => {
                    for command in &proposed.commands {
                        if let Outcome::Refused(refusal) = state.image.apply(command) {
                            tracing::debug!(?command, %refusal.code, "a command came too late");
                        }
                    }
                    if let Some(tell) = &state.follower {
                        let (proposal, commands) = (proposed.proposal, proposed.commands);
                        tell(Decision::Committed { proposal, commands });
                    }
                }
                EntryPayload::Membership(voters) => {
                    state.voters = StoredMembershipOf::<Types>::new(Some(entry.log_id), voters);
                }
            }
            drop(state);
            if let Some(responder) = responder {
                responder.send(());
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: Vec<u8>,
    ) -> Result<(), io::Error> {
        let image = Bytes::from(snapshot);
        let parsed = Image::from_bytes(image.clone()).map_err(io::Error::other)?;
        let record = {
            let mut state = self.state();
            state.image = parsed;
            state.applied = meta.last_log_id;
            state.voters = meta.last_membership.clone();
            state.snapshot = Some((meta.clone(), image));
            state.record()
        };
        replace_file(&self.disk, SNAPSHOT, SNAPSHOT_ASIDE, frame(&record)).await
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, io::Error> {
        let snapshot = self.state().snapshot.clone();
        Ok(snapshot.map(|(meta, image)| Snapshot { meta, snapshot: image.to_vec() }))
    }
}
