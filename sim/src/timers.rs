//! Simulated time: what is due when. madsim's sleeps last a millisecond at least and cannot be taken back; these can be any
//! length, and who no longer waits is not woken.

use std::{
    collections::BTreeMap,
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use madsim::time::TimeHandle;

use crate::dice::nanos;

/// What is due when. Clones share it.
#[derive(Clone)]
pub struct Timers(Arc<Shared>);

struct Shared {
    time: TimeHandle,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next: u64,
    due: BTreeMap<(u64, u64), Due>,
    /// The task that runs what is due, and when it will be woken.
    driver: Option<Waker>,
    armed: Option<u64>,
}

enum Due {
    Wake(Waker),
    Call(Box<dyn FnOnce() + Send>),
}

impl fmt::Debug for Timers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Timers")
    }
}

impl Timers {
    /// The timers of the world that runs: to be made within madsim's runtime.
    pub fn start() -> Self {
        let shared = Shared { time: TimeHandle::current(), state: Mutex::default() };
        let timers = Self(Arc::new(shared));
        let driver = timers.clone();
        madsim::task::spawn(poll_fn(move |context| driver.drive(context)));
        timers
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nanoseconds since the world began.
    pub fn now(&self) -> u64 {
        nanos(self.0.time.elapsed())
    }

    /// Waits for so long.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        self.sleep_until(self.now().saturating_add(nanos(duration)))
    }

    /// Waits until it is so late, in nanoseconds.
    pub fn sleep_until(&self, at: u64) -> Sleep {
        Sleep { timers: self.clone(), at, key: None }
    }

    /// Calls when so much time has passed. Not for what takes long: the world waits.
    pub fn call_after(&self, duration: Duration, call: impl FnOnce() + Send + 'static) {
        self.call_at(self.now().saturating_add(nanos(duration)), call);
    }

    /// Calls when it is so late, in nanoseconds.
    pub fn call_at(&self, at: u64, call: impl FnOnce() + Send + 'static) {
        self.add(at, Due::Call(Box::new(call)));
    }

    fn add(&self, at: u64, due: Due) -> (u64, u64) {
        let mut state = self.state();
        state.next += 1;
        let key = (at, state.next);
        state.due.insert(key, due);
        self.arm(&mut state);
        key
    }

    /// Sees to it that the driver is woken when the first is due.
    fn arm(&self, state: &mut State) {
        let Some((&(at, _), _)) = state.due.first_key_value() else { return };
        if state.armed.is_some_and(|armed| armed <= at) {
            return;
        }
        let Some(driver) = &state.driver else { return };
        let wait = Duration::from_nanos(at.saturating_sub(self.now()));
        let deadline = self.0.time.now_instant() + wait;
        let mut sleep = self.0.time.sleep(wait);
        Pin::new(&mut sleep).reset(deadline);
        if Pin::new(&mut sleep).poll(&mut Context::from_waker(driver)).is_ready() {
            driver.wake_by_ref();
        }
        state.armed = Some(at);
    }

    fn drive(&self, context: &mut Context<'_>) -> Poll<()> {
        let now = self.now();
        let mut state = self.state();
        if !state.driver.as_ref().is_some_and(|driver| driver.will_wake(context.waker())) {
            state.driver = Some(context.waker().clone());
        }
        state.armed = None;
        while state.due.first_key_value().is_some_and(|(&(at, _), _)| at <= now) {
            let Some((_, due)) = state.due.pop_first() else { break };
            // What is called may ask for more.
            drop(state);
            match due {
                Due::Wake(waker) => waker.wake(),
                Due::Call(call) => call(),
            }
            state = self.state();
        }
        self.arm(&mut state);
        Poll::Pending
    }
}

/// A wait.
#[derive(Debug)]
#[must_use = "it waits when it is awaited"]
pub struct Sleep {
    timers: Timers,
    at: u64,
    key: Option<(u64, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.timers.now() >= self.at {
            return Poll::Ready(());
        }
        if let Some(key) = self.key {
            let mut state = self.timers.state();
            if let Some(Due::Wake(waker)) = state.due.get_mut(&key) {
                let old = std::mem::replace(waker, context.waker().clone());
                drop(state);
                drop(old);
                return Poll::Pending;
            }
        }
        self.key = Some(self.timers.add(self.at, Due::Wake(context.waker().clone())));
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            // What is removed is dropped when the lock is free: it may own a task, and the task a sleep.
            let removed = self.timers.state().due.remove(&key);
            drop(removed);
        }
    }
}
