//! openraft on our runtime: `tokio` by name, which is the simulator's where the simulator runs.

use std::{
    fmt,
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use openraft_rt::{
    AsyncRuntime, Mpsc, MpscReceiver, MpscSender, MpscWeakSender, OptionalSend, SendError,
    TryRecvError,
};
use tokio::sync::{mpsc, oneshot};

use super::watch::FairWatch;

/// The runtime.
#[derive(Debug)]
pub(crate) struct ShellRuntime;

/// A sleep. The simulator's adds a timer each time it is polled, so it is polled again only for another waker.
pub(crate) struct Sleep {
    inner: Pin<Box<tokio::time::Sleep>>,
    waker: Option<Waker>,
}

impl Sleep {
    fn new(inner: tokio::time::Sleep) -> Self {
        Self { inner: Box::pin(inner), waker: None }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.inner.is_elapsed() {
            return Poll::Ready(());
        }
        if self.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            return Poll::Pending;
        }
        self.waker = Some(context.waker().clone());
        self.inner.as_mut().poll(context)
    }
}

/// The time is over.
#[derive(Debug)]
pub(crate) struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time is over")
    }
}

pin_project_lite::pin_project! {
    /// A future with a time limit.
    pub(crate) struct Timeout<F> {
        #[pin]
        future: F,
        sleep: Sleep,
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(output) = this.future.poll(context) {
            return Poll::Ready(Ok(output));
        }
        Pin::new(this.sleep).poll(context).map(|()| Err(Elapsed))
    }
}

/// Randomness, for election timeouts.
pub(crate) struct ShellRng {
    #[cfg(not(madsim))]
    rng: rand::rngs::ThreadRng,
}

impl rand::TryRng for ShellRng {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        #[cfg(not(madsim))]
        return self.rng.try_next_u32();
        #[cfg(madsim)]
        return Ok(madsim::rand::RngCore::next_u32(&mut madsim::rand::thread_rng()));
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        #[cfg(not(madsim))]
        return self.rng.try_next_u64();
        #[cfg(madsim)]
        return Ok(madsim::rand::RngCore::next_u64(&mut madsim::rand::thread_rng()));
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        #[cfg(not(madsim))]
        return self.rng.try_fill_bytes(bytes);
        #[cfg(madsim)]
        {
            madsim::rand::RngCore::fill_bytes(&mut madsim::rand::thread_rng(), bytes);
            Ok(())
        }
    }
}

impl AsyncRuntime for ShellRuntime {
    type JoinError = tokio::task::JoinError;
    type JoinHandle<T: OptionalSend + 'static> = tokio::task::JoinHandle<T>;
    type Sleep = Sleep;
    type Instant = Instant;
    type TimeoutError = Elapsed;
    type Timeout<R, T: Future<Output = R> + OptionalSend> = Timeout<T>;
    type ThreadLocalRng = ShellRng;
    type Mpsc = Channels;
    type Watch = FairWatch;
    type Oneshot = Oneshots;
    type Mutex<T: OptionalSend + 'static> = Lock<T>;

    fn spawn<T>(future: T) -> Self::JoinHandle<T::Output>
    where
        T: Future + OptionalSend + 'static,
        T::Output: OptionalSend + 'static,
    {
        tokio::task::spawn(future)
    }

    fn sleep(duration: Duration) -> Sleep {
        Sleep::new(tokio::time::sleep(duration))
    }

    #[cfg_attr(
        madsim,
        expect(clippy::useless_conversion, reason = "the simulator's instants are the standard's")
    )]
    fn sleep_until(deadline: Instant) -> Sleep {
        Sleep::new(tokio::time::sleep_until(deadline.into()))
    }

    fn timeout<R, F: Future<Output = R> + OptionalSend>(
        duration: Duration,
        future: F,
    ) -> Timeout<F> {
        Timeout { future, sleep: Self::sleep(duration) }
    }

    fn timeout_at<R, F: Future<Output = R> + OptionalSend>(
        deadline: Instant,
        future: F,
    ) -> Timeout<F> {
        Timeout { future, sleep: Self::sleep_until(deadline) }
    }

    fn is_panic(error: &Self::JoinError) -> bool {
        error.is_panic()
    }

    #[cfg_attr(
        not(madsim),
        expect(
            clippy::disallowed_methods,
            reason = "openraft's random timeouts; the simulator's come from its seed"
        )
    )]
    fn thread_rng() -> ShellRng {
        ShellRng {
            #[cfg(not(madsim))]
            rng: rand::rng(),
        }
    }

    fn new(_threads: usize) -> Self {
        Self
    }

    fn block_on<F, T>(&mut self, _future: F) -> T
    where
        F: Future<Output = T>,
    {
        unreachable!("openraft runs within the broker's runtime")
    }

    #[allow(refining_impl_trait, reason = "the trait leaves the future's kind open")]
    #[expect(
        clippy::manual_async_fn,
        reason = "an async function could not promise that it is Send"
    )]
    fn spawn_blocking<F, T>(work: F) -> impl Future<Output = Result<T, io::Error>> + Send
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        async move {
            #[cfg_attr(madsim, expect(deprecated, reason = "the simulator does it at once"))]
            let task = tokio::task::spawn_blocking(work);
            task.await.map_err(io::Error::other)
        }
    }
}

/// tokio's channels need no reactor, and are the same in both worlds.
#[derive(Debug)]
pub(crate) struct Channels;

pub(crate) struct Sender<T>(mpsc::Sender<T>);
pub(crate) struct Receiver<T>(mpsc::Receiver<T>);
pub(crate) struct WeakSender<T>(mpsc::WeakSender<T>);

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Clone for WeakSender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl Mpsc for Channels {
    type Sender<T: OptionalSend> = Sender<T>;
    type Receiver<T: OptionalSend> = Receiver<T>;
    type WeakSender<T: OptionalSend> = WeakSender<T>;

    fn channel<T: OptionalSend>(size: usize) -> (Sender<T>, Receiver<T>) {
        let (sender, receiver) = mpsc::channel(size);
        (Sender(sender), Receiver(receiver))
    }
}

impl<T: OptionalSend> MpscSender<Channels, T> for Sender<T> {
    async fn send(&self, message: T) -> Result<(), SendError<T>> {
        self.0.send(message).await.map_err(|error| SendError(error.0))
    }

    fn downgrade(&self) -> WeakSender<T> {
        WeakSender(self.0.downgrade())
    }
}

impl<T: OptionalSend> MpscReceiver<T> for Receiver<T> {
    async fn recv(&mut self) -> Option<T> {
        self.0.recv().await
    }

    fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.0.try_recv().map_err(|error| match error {
            mpsc::error::TryRecvError::Empty => TryRecvError::Empty,
            mpsc::error::TryRecvError::Disconnected => TryRecvError::Disconnected,
        })
    }
}

impl<T: OptionalSend> MpscWeakSender<Channels, T> for WeakSender<T> {
    fn upgrade(&self) -> Option<Sender<T>> {
        self.0.upgrade().map(Sender)
    }
}

/// tokio's oneshot channels.
#[derive(Debug)]
pub(crate) struct Oneshots;

pub(crate) struct OneshotSender<T>(oneshot::Sender<T>);

impl openraft_rt::Oneshot for Oneshots {
    type Sender<T: OptionalSend> = OneshotSender<T>;
    type Receiver<T: OptionalSend> = oneshot::Receiver<T>;
    type ReceiverError = oneshot::error::RecvError;

    fn channel<T: OptionalSend>() -> (OneshotSender<T>, oneshot::Receiver<T>) {
        let (sender, receiver) = oneshot::channel();
        (OneshotSender(sender), receiver)
    }
}

impl<T: OptionalSend> openraft_rt::OneshotSender<T> for OneshotSender<T> {
    fn send(self, value: T) -> Result<(), T> {
        self.0.send(value)
    }
}

/// tokio's mutex.
pub(crate) struct Lock<T>(tokio::sync::Mutex<T>);

impl<T: OptionalSend + 'static> openraft_rt::Mutex<T> for Lock<T> {
    type Guard<'a> = tokio::sync::MutexGuard<'a, T>;

    fn new(value: T) -> Self {
        Self(tokio::sync::Mutex::new(value))
    }

    async fn lock(&self) -> Self::Guard<'_> {
        self.0.lock().await
    }
}
