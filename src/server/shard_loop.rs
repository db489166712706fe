//! Runs a shard: feeds it inputs, carries out its effects. Decides nothing.

use std::{
    collections::{HashMap, VecDeque},
    mem,
    sync::Arc,
    time::Duration,
};

use ottla_core::{
    disk::{DiskOp, DiskResult, IoId},
    inspect::Inspection,
    job::Job,
    machine::{ConnectionId, Effect, Effects, Now},
    shard::{Input, Shard},
    types::Instant,
    wire::{Frame, Piece},
};
use tokio::sync::{mpsc, oneshot};

use super::{
    Event,
    connection::Link,
    metrics::Metrics,
    notices,
    writes::{Gathered, Writes},
};
use crate::{
    quorum::Quorum,
    world::{Clock, Disk, Done, Outgoing, World},
};

type Handle<W> = <<W as World>::Disk as Disk>::Handle;

/// How many events are taken before what has gathered may go, however many are waiting.
const EVENTS_AT_ONCE: usize = 1_024;

/// A shard, and what it needs to take effect.
pub(super) struct ShardLoop<W: World> {
    world: W,
    shard: Shard,
    sender: mpsc::UnboundedSender<Event<Handle<W>>>,
    inbox: mpsc::UnboundedReceiver<Event<Handle<W>>>,
    done: Done,
    links: HashMap<ConnectionId, (String, Link<Handle<W>>)>,
    effects: Effects,
    quorum: Quorum,
    metrics: Arc<Metrics>,
    ready: Option<oneshot::Sender<()>>,
    inspections: Vec<oneshot::Sender<Inspection>>,
    /// Syncs that are under way, and since when.
    syncing: HashMap<IoId, Instant>,
    writes: Writes,
    /// Computations that wait, and how many are under way: each may take as much memory as records may become.
    jobs: VecDeque<(IoId, Job)>,
    jobs_running: usize,
    is_stopped: bool,
    #[cfg(madsim)]
    taped: super::tape::Taped,
}

/// How many computations go on at once.
const JOBS_AT_ONCE: usize = 2;

/// What a shard's loop is made of.
pub(super) struct Parts<W: World> {
    pub(super) world: W,
    pub(super) shard: Shard,
    pub(super) effects: Effects,
    pub(super) sender: mpsc::UnboundedSender<Event<Handle<W>>>,
    pub(super) inbox: mpsc::UnboundedReceiver<Event<Handle<W>>>,
    pub(super) quorum: Quorum,
    pub(super) metrics: Arc<Metrics>,
    pub(super) ready: oneshot::Sender<()>,
    #[cfg(madsim)]
    pub(super) taped: super::tape::Taped,
}

impl<W: World> ShardLoop<W> {
    pub(super) fn new(parts: Parts<W>) -> Self {
        #[cfg(madsim)]
        let taped = parts.taped;
        let Parts { world, shard, effects, sender, inbox, quorum, metrics, ready, .. } = parts;
        let to_shard = sender.clone();
        let done = Done::Shard(Arc::new(move |io, result| {
            // The loop ends last.
            let _ = to_shard.send(Event::Disk(io, result));
        }));
        Self {
            world,
            shard,
            sender,
            inbox,
            done,
            links: HashMap::new(),
            effects,
            quorum,
            metrics,
            ready: Some(ready),
            inspections: Vec::new(),
            syncing: HashMap::new(),
            writes: Writes::default(),
            jobs: VecDeque::new(),
            jobs_running: 0,
            is_stopped: false,
            #[cfg(madsim)]
            taped,
        }
    }

    /// Runs until the shard has stopped.
    pub(super) async fn run(mut self) {
        self.carry_out();
        self.flush_writes();
        while !self.is_stopped {
            let now = self.world.clock().now();
            let mut taken = 0;
            while taken < EVENTS_AT_ONCE
                && let Ok(event) = self.inbox.try_recv()
            {
                self.take(event, now);
                taken += 1;
            }
            self.flush_writes();
            if self.shard.poll_timeout().is_some_and(|(at, _)| at <= now.instant) {
                self.handle(now, Input::Timeout);
                taken += 1;
            }
            if taken > 0 {
                continue;
            }
            self.handle(now, Input::Rest);
            self.flush_writes();
            self.wait(now).await;
        }
    }

    /// Waits for an event, or for the next timer.
    async fn wait(&mut self, now: Now) {
        let patience = match self.shard.poll_timeout() {
            Some((at, _)) => at - now.instant,
            None => Duration::MAX,
        };
        let event = tokio::select! {
            biased;
            event = self.inbox.recv() => event,
            () = self.world.clock().sleep(patience.min(LONG)) => None,
        };
        if let Some(event) = event {
            let now = self.world.clock().now();
            self.take(event, now);
        }
    }

    fn take(&mut self, event: Event<Handle<W>>, now: Now) {
        match event {
            Event::Input(input) => {
                if let Input::Disconnected { connection } = &input {
                    self.links.remove(connection);
                }
                if matches!(input, Input::Computed { .. }) {
                    self.jobs_running -= 1;
                    self.begin_jobs();
                }
                self.handle(now, input);
            }
            Event::Disk(io, result) => {
                self.note_sync(io, &result, now);
                self.handle(now, Input::Disk { io, result });
            }
            Event::Connected { connection, host, link } => {
                self.links.insert(connection, (host.clone(), link));
                self.handle(now, Input::Connected { connection, host });
            }
            Event::Inspect(sender) => {
                self.inspections.push(sender);
                self.handle(now, Input::Inspect);
            }
        }
    }

    fn handle(&mut self, now: Now, input: Input) {
        #[cfg(madsim)]
        let told = self.taped.copy(&input);
        self.shard.handle(now, input, &mut self.effects);
        #[cfg(madsim)]
        self.taped.take_down(now, told, (&self.shard, &self.effects));
        self.carry_out();
    }

    fn note_sync(&mut self, io: IoId, result: &DiskResult, now: Now) {
        if let Some(since) = self.syncing.remove(&io) {
            self.metrics.syncs.record(now.instant - since);
            if result.failure().is_some() {
                self.metrics.add_sync_failures(1);
            }
        }
    }

    fn carry_out(&mut self) {
        let mut effects = mem::take(&mut self.effects);
        for effect in effects.drain() {
            self.carry_out_one(effect);
        }
        self.effects = effects;
    }

    fn carry_out_one(&mut self, effect: Effect) {
        match effect {
            Effect::Disk { io, op } => self.begin_disk(io, op),
            Effect::Compute { io, job } => {
                self.jobs.push_back((io, job));
                self.begin_jobs();
            }
            Effect::Send { connection, frame } => {
                if frame.rest().iter().any(|piece| matches!(piece, Piece::Range(_))) {
                    // What it reads must be on its way to the page cache.
                    self.flush_writes();
                }
                self.send(connection, frame);
            }
            Effect::Done { connection } => {
                if let Some((_, link)) = self.links.get(&connection) {
                    link.done();
                }
            }
            Effect::Close { connection, reason } => {
                if let Some((host, link)) = self.links.get(&connection) {
                    notices::log_close(connection, host, &reason);
                    self.metrics.add_closed_by_us(1);
                    link.close();
                }
            }
            Effect::Propose { proposal, commands } => self.quorum.propose(proposal, commands),
            Effect::Ready => {
                if let Some(ready) = self.ready.take() {
                    let _ = ready.send(());
                }
            }
            Effect::Inspected(inspection) => {
                for sender in self.inspections.drain(..) {
                    let _ = sender.send(inspection.clone());
                }
            }
            Effect::Stopped => self.is_stopped = true,
            Effect::Notice(notice) => notices::log(notice),
        }
    }

    fn begin_disk(&mut self, io: IoId, op: DiskOp) {
        if let DiskOp::Write { file, position, data } = op {
            if self.writes.must_begin_before(file, position) {
                self.flush_writes();
            }
            self.writes.push(io, file, position, data);
            if self.writes.are_enough() {
                self.flush_writes();
            }
            return;
        }
        self.flush_writes();
        if matches!(op, DiskOp::Sync { .. } | DiskOp::SyncAll) {
            self.syncing.insert(io, self.world.clock().now().instant);
        }
        self.world.disk().submit(io, op, self.done.clone());
    }

    fn flush_writes(&mut self) {
        for Gathered { file, position, data, .. } in self.writes.drain() {
            self.world.disk().submit_writes(file, position, data, &self.done);
        }
    }

    fn begin_jobs(&mut self) {
        while self.jobs_running < JOBS_AT_ONCE
            && let Some((io, job)) = self.jobs.pop_front()
        {
            self.jobs_running += 1;
            self.compute(io, job);
        }
    }

    fn compute(&self, io: IoId, job: Job) {
        let sender = self.sender.clone();
        #[cfg_attr(madsim, expect(deprecated, reason = "the simulator does it at once"))]
        tokio::task::spawn_blocking(move || {
            // The loop ends last.
            let _ = sender.send(Event::Input(Input::Computed { io, result: job.run() }));
        });
    }

    fn send(&self, connection: ConnectionId, frame: Frame) {
        let Some((host, link)) = self.links.get(&connection) else { return };
        match self.collect(frame) {
            Ok(pieces) => link.send(pieces),
            Err(error) => {
                tracing::error!(%host, %error, "connection closed: a segment cannot be read");
                link.close();
            }
        }
    }

    /// Opens the files that a response is made of, before anything that follows could remove them.
    fn collect(&self, frame: Frame) -> std::io::Result<Vec<Outgoing<Handle<W>>>> {
        let mut pieces = Vec::with_capacity(1 + frame.rest().len());
        pieces.push(Outgoing::Bytes(frame.first().clone()));
        for piece in frame.rest() {
            pieces.push(match piece {
                Piece::Bytes(bytes) => Outgoing::Bytes(bytes.clone()),
                Piece::Range(range) => Outgoing::File {
                    handle: self.world.disk().open(range.file)?,
                    position: range.position,
                    length: range.length,
                },
            });
        }
        Ok(pieces)
    }
}

/// A sleep that is as good as endless.
const LONG: Duration = Duration::from_secs(3_600);
