//! A connection: one task reads requests off it, another writes responses.

use std::{
    pin::pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use ottla_core::{
    machine::ConnectionId,
    shard::Input,
    types::Instant,
    wire::{
        ApiKey,
        frame::{FrameDecoder, FrameError, FrameLimits},
    },
};
use tokio::sync::{Notify, Semaphore, SemaphorePermit, mpsc};

use super::{Event, metrics::Metrics};
use crate::world::{Clock, Disk, Outgoing, Reader, World, Writer};

/// How much one connection may have in the broker at once; more stays in the socket. A request takes one, and another one for
/// each [`CREDIT_BYTES`].
const CREDITS: u32 = 256;
const CREDIT_BYTES: usize = 128 << 10;

/// For how long a request may stand still half-way, or a response of which the client takes nothing; not longer than a
/// connection may be idle.
const STALL: Duration = Duration::from_secs(60);

/// A request that is longer than this takes its place among the large ones, of which not too many may be in memory.
const LARGE_BYTES: usize = 1 << 20;

/// What a connection is asked to write.
#[derive(Debug)]
enum Order<H> {
    Send(Vec<Outgoing<H>>),
    /// A request is done that has no response.
    Nothing,
    Close,
}

/// The shard's end of a connection.
#[derive(Debug)]
pub struct Link<H> {
    orders: mpsc::UnboundedSender<Order<H>>,
}

impl<H> Link<H> {
    /// Has a response written.
    pub(super) fn send(&self, pieces: Vec<Outgoing<H>>) {
        // A connection that has ended takes no responses, and needs none.
        let _ = self.orders.send(Order::Send(pieces));
    }

    /// A request is done that has no response.
    pub(super) fn done(&self) {
        let _ = self.orders.send(Order::Nothing);
    }

    /// Has the connection ended, after what was sent.
    pub(super) fn close(&self) {
        let _ = self.orders.send(Order::Close);
    }
}

/// A request that is in the broker.
#[derive(Debug)]
struct Begun {
    credits: u32,
    key: i16,
    at: Instant,
}

/// What all connections share.
#[derive(Debug)]
pub(super) struct Shared<W: World> {
    pub(super) world: W,
    pub(super) inbox: mpsc::UnboundedSender<Event<<W::Disk as Disk>::Handle>>,
    pub(super) limits: FrameLimits,
    pub(super) idle: Option<Duration>,
    /// How much room there is for large requests, in KiB.
    pub(super) room: Semaphore,
    pub(super) metrics: Arc<Metrics>,
}

impl<W: World> Shared<W> {
    fn stall(&self) -> Duration {
        self.idle.map_or(STALL, |idle| idle.min(STALL))
    }
}

type Handle<W> = <<W as World>::Disk as Disk>::Handle;

/// Why a connection was ended, beyond what the shard says.
#[derive(Debug)]
enum Problem {
    Frame(FrameError),
    Idle,
    Stalled,
    NoRoom,
}

/// Serves a connection until it ends.
pub(super) async fn serve<W, R, T>(
    shared: Arc<Shared<W>>,
    connection: ConnectionId,
    host: String,
    reader: R,
    writer: T,
) where
    W: World,
    R: Reader,
    T: Writer<Handle = <W::Disk as Disk>::Handle>,
{
    let (orders, queue) = mpsc::unbounded_channel();
    let (begun, in_flight) = mpsc::unbounded_channel();
    let event = Event::Connected { connection, host: host.clone(), link: Link { orders } };
    if shared.inbox.send(event).is_err() {
        return;
    }
    let credits = Arc::new(Semaphore::new(CREDITS as usize));
    let closed = Arc::new(Notify::new());
    let responses = Responses {
        shared: Arc::clone(&shared),
        writer,
        queue,
        in_flight,
        credits: Arc::clone(&credits),
        host: host.clone(),
    };
    let notify = Arc::clone(&closed);
    tokio::spawn(async move {
        responses.write().await;
        notify.notify_one();
    });
    let decoder = FrameDecoder::new(shared.limits);
    let requests =
        Requests { shared: &shared, connection, reader, decoder, begun, credits: &credits };
    let connection = connection.0;
    match requests.read(&closed).await {
        Ok(()) => tracing::debug!(%host, connection, "connection ended"),
        Err(Problem::Frame(error)) => {
            tracing::warn!(%host, connection, %error, "connection closed: bad frame");
        }
        Err(Problem::Idle) => tracing::debug!(%host, connection, "connection closed: idle"),
        Err(Problem::NoRoom) => {
            tracing::warn!(
                %host,
                connection,
                "connection closed: large requests of others left no room; see queued.max.request.bytes"
            );
        }
        Err(Problem::Stalled) => {
            tracing::warn!(%host, connection, "connection closed: a request stood still half-way");
        }
    }
    let connection = ConnectionId(connection);
    let _ = shared.inbox.send(Event::Input(Input::Disconnected { connection }));
}

/// The reading half.
struct Requests<'a, W: World, R> {
    shared: &'a Shared<W>,
    connection: ConnectionId,
    reader: R,
    decoder: FrameDecoder,
    begun: mpsc::UnboundedSender<Begun>,
    credits: &'a Semaphore,
}

impl<W: World, R: Reader> Requests<'_, W, R> {
    /// Reads requests until the connection ends.
    async fn read(mut self, closed: &Notify) -> Result<(), Problem> {
        let mut room = Room::new(&self.shared.room);
        loop {
            match self.decoder.next_frame().map_err(Problem::Frame)? {
                Some(frame) => {
                    if !self.begin(frame).await {
                        return Ok(());
                    }
                    room = Room::new(&self.shared.room);
                }
                None => {
                    let more = tokio::select! {
                        biased;
                        () = closed.notified() => false,
                        more = async {
                            room.make(&self.decoder, self.shared.world.clock()).await?;
                            self.read_more().await
                        } => more?,
                    };
                    if !more {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Gives a request to the shard, once the connection has credit for it.
    async fn begin(&mut self, frame: Bytes) -> bool {
        let units = u32::try_from(frame.len() / CREDIT_BYTES).unwrap_or(CREDITS);
        let credits = (1 + units).min(CREDITS);
        let Ok(credit) = self.credits.acquire_many(credits).await else { return false };
        // The response gives it back.
        credit.forget();
        let key = frame.first_chunk().map_or(-1, |key| i16::from_be_bytes(*key));
        let at = self.shared.world.clock().now().instant;
        let input = Input::Frame { connection: self.connection, frame };
        self.begun.send(Begun { credits, key, at }).is_ok()
            && self.shared.inbox.send(Event::Input(input)).is_ok()
    }

    /// Reads once; false at the end of the connection.
    async fn read_more(&mut self) -> Result<bool, Problem> {
        let mid_frame = self.decoder.is_mid_frame();
        let patience = if mid_frame { Some(self.shared.stall()) } else { self.shared.idle };
        let bytes = loop {
            let read = self.reader.read(self.decoder.buffer_mut());
            tokio::select! {
                biased;
                read = read => break read.unwrap_or(0),
                () = wait(self.shared.world.clock(), patience) => {
                    if mid_frame {
                        return Err(Problem::Stalled);
                    }
                    // Who waits for an answer is not idle.
                    if self.credits.available_permits() == CREDITS as usize {
                        return Err(Problem::Idle);
                    }
                }
            }
        };
        self.decoder.note_read(bytes);
        self.shared.metrics.add_bytes_in(bytes as u64);
        Ok(bytes > 0)
    }
}

/// The room that a large request has while it arrives. It grows with what has arrived: to announce a length takes nothing
/// from others, and who holds much has sent half of it.
#[derive(Debug)]
struct Room<'a> {
    all: &'a Semaphore,
    taken: Option<SemaphorePermit<'a>>,
    /// How much may be buffered.
    bytes: usize,
}

impl<'a> Room<'a> {
    /// What every connection has.
    const fn new(all: &'a Semaphore) -> Self {
        Self { all, taken: None, bytes: LARGE_BYTES }
    }

    /// How much room there must be before more is read.
    fn wanted(&self, announced: Option<usize>, buffered: usize) -> usize {
        if buffered < self.bytes {
            return self.bytes;
        }
        announced.unwrap_or_default().min(2 * buffered).max(self.bytes)
    }

    /// Waits until there is room for what comes next of a request. Not for ever: the others may wait for the same.
    async fn make(&mut self, decoder: &FrameDecoder, clock: &impl Clock) -> Result<(), Problem> {
        let wanted = self.wanted(decoder.announced_bytes(), decoder.buffered_bytes());
        if wanted == self.bytes {
            return Ok(());
        }
        tokio::select! {
            biased;
            () = self.grow(wanted) => Ok(()),
            () = clock.sleep(STALL) => Err(Problem::NoRoom),
        }
    }

    async fn grow(&mut self, wanted: usize) {
        let kibibytes = u32::try_from((wanted - self.bytes).div_ceil(1 << 10)).unwrap_or(u32::MAX);
        // The semaphore is never closed.
        let Ok(more) = self.all.acquire_many(kibibytes).await else { return };
        match &mut self.taken {
            Some(taken) => taken.merge(more),
            taken @ None => *taken = Some(more),
        }
        self.bytes = wanted;
    }
}

async fn wait(clock: &impl Clock, patience: Option<Duration>) {
    match patience {
        Some(patience) => clock.sleep(patience).await,
        None => std::future::pending().await,
    }
}

/// The writing half.
struct Responses<W: World, T> {
    shared: Arc<Shared<W>>,
    writer: T,
    queue: mpsc::UnboundedReceiver<Order<<W::Disk as Disk>::Handle>>,
    in_flight: mpsc::UnboundedReceiver<Begun>,
    credits: Arc<Semaphore>,
    host: String,
}

impl<W: World, T: Writer<Handle = <W::Disk as Disk>::Handle>> Responses<W, T> {
    /// Writes responses until the connection is to end.
    async fn write(mut self) {
        let mut orders = Vec::new();
        while self.queue.recv_many(&mut orders, CREDITS as usize).await > 0 {
            let mut pieces = Vec::new();
            let mut done = 0;
            let mut close = false;
            for order in orders.drain(..) {
                match order {
                    Order::Send(response) => {
                        done += 1;
                        pieces.extend(response);
                    }
                    Order::Nothing => done += 1,
                    Order::Close => close = true,
                }
            }
            let bytes: u64 = pieces.iter().map(Outgoing::len).sum();
            let written = self.write_pieces(pieces).await;
            self.shared.metrics.add_bytes_out(bytes);
            self.give_back(done);
            if close || !written {
                break;
            }
        }
        let _ = self.writer.shutdown().await;
    }

    /// Writes, as long as the client takes anything; whether it took all.
    async fn write_pieces(&mut self, pieces: Vec<Outgoing<Handle<W>>>) -> bool {
        let progress = self.writer.progress();
        let mut written = pin!(self.writer.write(pieces));
        loop {
            let before = progress.load(Ordering::Relaxed);
            tokio::select! {
                biased;
                written = &mut written => return written.is_ok(),
                () = self.shared.world.clock().sleep(self.shared.stall()) => {}
            }
            if progress.load(Ordering::Relaxed) == before {
                let host = &self.host;
                tracing::warn!(%host, "connection closed: the client does not take its responses");
                return false;
            }
        }
    }

    /// Requests were answered.
    fn give_back(&mut self, count: usize) {
        let now = self.shared.world.clock().now().instant;
        for _ in 0..count {
            let Ok(Begun { credits, key, at }) = self.in_flight.try_recv() else { return };
            self.credits.add_permits(credits as usize);
            if let Some(key) = ApiKey::from_code(key) {
                self.shared.metrics.answered(key, now - at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[tokio::test]
    async fn room_grows_with_what_arrives() {
        let all = Semaphore::new(10 << 10);
        let mut room = Room::new(&all);
        // What is announced alone takes nothing.
        assert_eq!(room.wanted(Some(100 * MIB), 4), LARGE_BYTES);
        assert_eq!(room.wanted(None, 0), LARGE_BYTES);
        // What fills the room doubles it, up to what was announced.
        assert_eq!(room.wanted(Some(100 * MIB), MIB), 2 * MIB);
        room.grow(2 * MIB).await;
        assert_eq!(all.available_permits(), 9 << 10);
        assert_eq!(room.wanted(Some(100 * MIB), 2 * MIB - 1), 2 * MIB);
        assert_eq!(room.wanted(Some(3 * MIB), 2 * MIB), 3 * MIB);
        room.grow(3 * MIB).await;
        assert_eq!(all.available_permits(), 8 << 10);
        drop(room);
        assert_eq!(all.available_permits(), 10 << 10);
    }
}
