//! The trace: one row for each step. All rows go into a hash; whoever wants to read them gets them as text, too.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{node::NodeIndex, timers::Timers};

/// Where a step was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// Nowhere in particular.
    World,
    /// On a machine.
    Node(NodeIndex),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::World => f.write_str("--"),
            Self::Node(node) => node.fmt(f),
        }
    }
}

impl From<NodeIndex> for Place {
    fn from(node: NodeIndex) -> Self {
        Self::Node(node)
    }
}

macro_rules! kinds {
    ($($(#[doc = $what:literal])+ $name:ident $text:literal $interest:ident,)*) => {
        /// What kind of step it was.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $($(#[doc = $what])+ $name,)*
        }

        impl Kind {
            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The kind of this name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$name),)* _ => None }
            }

            /// Whether it is told without being asked for.
            pub const fn is_of_interest(self) -> bool {
                match self { $(Self::$name => kinds!(@ $interest),)* }
            }
        }
    };
    (@ always) => { true };
    (@ verbose) => { false };
}

kinds! {
    /// A file operation began.
    DiskBegin "disk.begin" verbose,
    /// A file operation ended.
    DiskEnd "disk.end" verbose,
    /// What a crash left of a disk.
    DiskCrash "disk.crash" always,
    /// A connection is being made, or came about.
    NetConnect "net.connect" verbose,
    /// Bytes left.
    NetSend "net.send" verbose,
    /// Bytes arrived.
    NetReceive "net.receive" verbose,
    /// A connection ended, as seen from one end.
    NetEnd "net.end" verbose,
    /// A link changed.
    NetLink "net.link" always,
    /// A clock changed.
    Clock "clock" always,
    /// A process began, ended, stopped or went on.
    Process "process" always,
    /// A fault struck.
    Fault "fault" always,
    /// A client asked.
    Invoke "client.ask" verbose,
    /// A client was told.
    Answer "client.told" verbose,
    /// A line of a broker's log.
    Log "log" verbose,
    /// The run came to another phase.
    Phase "phase" always,
    /// What must not be.
    Violation "violation" always,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its number.
    pub number: u64,
    /// When, in nanoseconds.
    pub at: u64,
    /// Where.
    pub place: Place,
    /// What kind of step.
    pub kind: Kind,
    /// Its figures, whatever they mean for the kind.
    pub figures: [u64; 3],
    /// What happened.
    pub text: String,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, at, place, kind, text, .. } = self;
        let (seconds, micros) = (at / 1_000_000_000, at / 1_000 % 1_000_000);
        write!(f, "{number:>7} {seconds:>4}.{micros:06} {place:<3} {:<11} {text}", kind.name())
    }
}

/// Who reads rows.
pub type Reader = Box<dyn FnMut(Row) + Send>;

/// The trace of a run. Clones share it.
#[derive(Clone)]
pub struct Trace(Arc<Shared>);

struct Shared {
    timers: Timers,
    is_read: AtomicBool,
    state: Mutex<State>,
}

struct State {
    rows: u64,
    hash: u64,
    readers: Vec<Reader>,
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trace")
    }
}

impl Trace {
    /// An empty trace.
    pub fn new(timers: Timers) -> Self {
        let state = State { rows: 0, hash: 0xcbf2_9ce4_8422_2325, readers: Vec::new() };
        let is_read = AtomicBool::new(false);
        Self(Arc::new(Shared { timers, is_read, state: Mutex::new(state) }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has somebody read all rows from now on.
    pub fn read_by(&self, reader: Reader) {
        self.state().readers.push(reader);
        self.0.is_read.store(true, Ordering::Relaxed);
    }

    /// Whether anybody reads. Without, only figures count, and texts are not made.
    pub fn is_read(&self) -> bool {
        self.0.is_read.load(Ordering::Relaxed)
    }

    /// Adds a row. The figures must tell the step from others; the text is made only if somebody reads.
    pub fn row(
        &self,
        place: impl Into<Place>,
        kind: Kind,
        figures: [u64; 3],
        text: impl FnOnce() -> String,
    ) {
        let place = place.into();
        let at = self.0.timers.now();
        let text = if self.is_read() { text() } else { String::new() };
        let mut state = self.state();
        let seat = match place {
            Place::World => 0xff,
            Place::Node(node) => u64::from(node.0),
        };
        let [first, second, third] = figures;
        for number in [at, seat << 8 | kind as u64, first, second, third] {
            state.hash = (state.hash ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        }
        state.rows += 1;
        if self.is_read() {
            let row = Row { number: state.rows, at, place, kind, figures, text };
            for reader in &mut state.readers {
                reader(row.clone());
            }
        }
    }

    /// Adds a row that tells only what others have told: it does not count, and is for who reads.
    pub fn aside(&self, place: impl Into<Place>, kind: Kind, text: impl FnOnce() -> String) {
        if !self.is_read() {
            return;
        }
        let (place, at, text) = (place.into(), self.0.timers.now(), text());
        let mut state = self.state();
        let row = Row { number: state.rows, at, place, kind, figures: [0; 3], text };
        for reader in &mut state.readers {
            reader(row.clone());
        }
    }

    /// How many rows there are, and the hash over all of them.
    pub fn digest(&self) -> (u64, u64) {
        let state = self.state();
        (state.rows, state.hash)
    }
}
