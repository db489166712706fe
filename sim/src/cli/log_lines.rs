//! What brokers log, as rows of the trace.

use std::{
    fmt::{self, Write},
    sync::{Mutex, PoisonError},
};

use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer,
    filter::Targets,
    layer::{Context, SubscriberExt},
    util::SubscriberInitExt,
};

use crate::trace::{Kind, Place, Trace};

/// The trace of the process's only run, for what cannot be told it: logs and panics are the process's.
static TRACE: Mutex<Option<Trace>> = Mutex::new(None);
static PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Has log lines become rows of this trace.
pub(crate) fn belong_to(trace: Trace) {
    *TRACE.lock().unwrap_or_else(PoisonError::into_inner) = Some(trace);
}

/// Where the last panic was.
pub(crate) fn last_panic() -> Option<String> {
    PANIC.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

pub(super) fn note_panic(location: String) {
    *PANIC.lock().unwrap_or_else(PoisonError::into_inner) = Some(location);
}

/// Begins to listen to the log.
pub(super) fn capture() {
    let targets = Targets::new().with_target("ottla", Level::DEBUG);
    tracing_subscriber::registry().with(ToTrace.with_filter(targets)).init();
}

struct ToTrace;

impl<S: Subscriber> Layer<S> for ToTrace {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let trace = TRACE.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(trace) = trace {
            let mut line = Line(event.metadata().level().to_string());
            event.record(&mut line);
            trace.aside(Place::World, Kind::Log, || line.0);
        }
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}
