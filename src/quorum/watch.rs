//! A channel that holds the latest value. Unlike tokio's, who waits is woken in the order of waiting, not by lot: tokio draws
//! from a generator that no seed rules.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Poll, Waker},
};

use openraft_rt::{
    OptionalSend, OptionalSync,
    watch::{self, RecvError, SendError},
};

/// The kind of channel.
#[derive(Debug)]
pub(crate) struct FairWatch;

struct Shared<T> {
    value: RwLock<T>,
    waiting: Mutex<Waiting>,
    senders: AtomicUsize,
    receivers: AtomicUsize,
}

#[derive(Default)]
struct Waiting {
    version: u64,
    is_closed: bool,
    next_receiver: u64,
    wakers: BTreeMap<u64, Waker>,
}

impl<T> Shared<T> {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> RwLockReadGuard<'_, T> {
        self.value.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.value.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, change: impl FnOnce(&mut Waiting)) {
        let wakers = {
            let mut waiting = self.waiting();
            change(&mut waiting);
            std::mem::take(&mut waiting.wakers)
        };
        for waker in wakers.into_values() {
            waker.wake();
        }
    }

    fn subscribe(self: &Arc<Self>, seen: Option<u64>) -> Receiver<T> {
        self.receivers.fetch_add(1, Ordering::SeqCst);
        let mut waiting = self.waiting();
        waiting.next_receiver += 1;
        let id = waiting.next_receiver;
        let seen = seen.unwrap_or(waiting.version);
        drop(waiting);
        Receiver { shared: Arc::clone(self), seen, id }
    }
}

/// Where values are put.
pub(crate) struct Sender<T>(Arc<Shared<T>>);

/// Where they are seen.
pub(crate) struct Receiver<T> {
    shared: Arc<Shared<T>>,
    seen: u64,
    id: u64,
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.senders.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if self.0.senders.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.wake(|waiting| waiting.is_closed = true);
        }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.shared.subscribe(Some(self.seen))
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.shared.receivers.fetch_sub(1, Ordering::SeqCst);
        self.shared.waiting().wakers.remove(&self.id);
    }
}

impl watch::Watch for FairWatch {
    type Sender<T: OptionalSend + OptionalSync> = Sender<T>;
    type Receiver<T: OptionalSend + OptionalSync> = Receiver<T>;
    type Ref<'a, T: OptionalSend + 'a> = RwLockReadGuard<'a, T>;

    fn channel<T: OptionalSend + OptionalSync>(first: T) -> (Sender<T>, Receiver<T>) {
        let shared = Arc::new(Shared {
            value: RwLock::new(first),
            waiting: Mutex::default(),
            senders: AtomicUsize::new(1),
            receivers: AtomicUsize::new(0),
        });
        let receiver = shared.subscribe(None);
        (Sender(shared), receiver)
    }
}

impl<T: OptionalSend + OptionalSync> watch::WatchSender<FairWatch, T> for Sender<T> {
    fn send(&self, value: T) -> Result<(), SendError<T>> {
        if self.0.receivers.load(Ordering::SeqCst) == 0 {
            return Err(SendError(value));
        }
        *self.0.write() = value;
        self.0.wake(|waiting| waiting.version += 1);
        Ok(())
    }

    fn send_if_modified<F: FnOnce(&mut T) -> bool>(&self, modify: F) -> bool {
        let modified = modify(&mut self.0.write());
        if modified {
            self.0.wake(|waiting| waiting.version += 1);
        }
        modified
    }

    fn borrow_watched(&self) -> RwLockReadGuard<'_, T> {
        self.0.read()
    }

    fn subscribe(&self) -> Receiver<T> {
        self.0.subscribe(None)
    }
}

impl<T: OptionalSend + OptionalSync> watch::WatchReceiver<FairWatch, T> for Receiver<T> {
    async fn changed(&mut self) -> Result<(), RecvError> {
        poll_fn(|context| {
            let mut waiting = self.shared.waiting();
            if waiting.version != self.seen {
                self.seen = waiting.version;
                return Poll::Ready(Ok(()));
            }
            if waiting.is_closed {
                return Poll::Ready(Err(RecvError(())));
            }
            waiting.wakers.insert(self.id, context.waker().clone());
            Poll::Pending
        })
        .await
    }

    fn borrow_watched(&self) -> RwLockReadGuard<'_, T> {
        self.shared.read()
    }

    fn borrow_and_update(&mut self) -> RwLockReadGuard<'_, T> {
        let value = self.shared.read();
        self.seen = self.shared.waiting().version;
        value
    }
}
