//! Incremental fetch sessions (KIP-227): the broker remembers what a client fetches, and tells only what has changed.

use alloc::{collections::BTreeMap, vec::Vec};

use crate::{
    machine::Random,
    types::{ErrorCode, Instant, Offset, TopicId},
};

/// A partition within a session: by topic name or, from version 13 on, by topic id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FetchKey {
    /// The topic.
    pub topic: FetchTopic,
    /// The partition of it.
    pub partition: i32,
}

/// How a fetch names a topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum FetchTopic {
    /// Until version 12.
    Name(alloc::string::String),
    /// From version 13 on.
    Id(TopicId),
}

/// What a client wants of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchTerms {
    /// From this offset on; it may be anything.
    pub fetch_offset: i64,
    /// How many bytes at the most.
    pub bytes_max: i32,
    /// The leader epoch that the client knows; -1 for none.
    pub current_leader_epoch: i32,
    /// The epoch of the last record that the client has; -1 for none.
    pub last_fetched_epoch: i32,
}

/// What was told of a partition last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LastTold {
    /// The high watermark; none before the first response.
    pub high_watermark: Option<Offset>,
    /// The log's start.
    pub log_start_offset: Option<Offset>,
}

#[derive(Debug, Clone)]
struct Cached {
    terms: FetchTerms,
    told: LastTold,
    /// The place in the order in which the client named its partitions.
    order: u64,
}

/// A session.
#[derive(Debug, Clone)]
struct FetchSession {
    partitions: BTreeMap<FetchKey, Cached>,
    /// Partitions take turns in being first, so that none starves.
    by_order: BTreeMap<u64, FetchKey>,
    next_order: u64,
    epoch: i32,
    by_id: bool,
    last_used: Instant,
}

/// What a fetch is in terms of sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionKind {
    /// It stands for itself.
    Sessionless,
    /// It names everything, and a session begins if there is room for one.
    Full {
        /// The session; 0 if there was no room.
        id: i32,
    },
    /// It names what has changed.
    Incremental {
        /// The session.
        id: i32,
    },
}

impl SessionKind {
    /// The session that the response names; 0 for none.
    pub const fn id(self) -> i32 {
        match self {
            Self::Sessionless => 0,
            Self::Full { id } | Self::Incremental { id } => id,
        }
    }
}

/// All sessions.
#[derive(Debug)]
pub struct FetchSessions {
    sessions: BTreeMap<i32, FetchSession>,
    slots: usize,
    random: Random,
}

/// How long an unused session is safe from those that need its place.
const EVICT_AFTER: core::time::Duration = core::time::Duration::from_secs(120);
const INITIAL_EPOCH: i32 = 0;
const FINAL_EPOCH: i32 = -1;

/// A fetch, as far as sessions go.
#[derive(Debug)]
pub struct SessionRequest {
    /// The session that it belongs to; 0 for a new one.
    pub id: i32,
    /// Its number within the session: 0 begins one, -1 ends it.
    pub epoch: i32,
    /// What it wants, in order.
    pub wanted: Vec<(FetchKey, FetchTerms)>,
    /// What it does not want any more.
    pub forgotten: Vec<FetchKey>,
    /// Whether it names topics by id.
    pub by_id: bool,
}

/// What is to be fetched: each partition with what is wanted of it and what was told last.
pub type FetchList = Vec<(FetchKey, FetchTerms, LastTold)>;

impl FetchSessions {
    /// None yet, and room for so many.
    pub const fn new(slots: usize, random: Random) -> Self {
        Self { sessions: BTreeMap::new(), slots, random }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Takes a fetch, and says what it is and what it is to bring.
    pub fn begin(
        &mut self,
        request: SessionRequest,
        now: Instant,
    ) -> Result<(SessionKind, FetchList), ErrorCode> {
        let SessionRequest { id, epoch, wanted, forgotten, by_id } = request;
        if epoch == INITIAL_EPOCH || epoch == FINAL_EPOCH {
            self.sessions.remove(&id);
            let list = list_of(wanted);
            let kind = if epoch == FINAL_EPOCH {
                SessionKind::Sessionless
            } else {
                SessionKind::Full { id: self.create(&list, by_id, now) }
            };
            return Ok((kind, list));
        }
        let session = self.sessions.get_mut(&id).ok_or(ErrorCode::FetchSessionIdNotFound)?;
        if session.epoch != epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        if session.by_id != by_id {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        for (key, terms) in &wanted {
            session.want(key, *terms);
        }
        for key in &forgotten {
            session.forget(key);
        }
        session.last_used = now;
        session.epoch = if epoch == i32::MAX { 1 } else { epoch + 1 };
        if session.partitions.is_empty() {
            self.sessions.remove(&id);
            return Ok((SessionKind::Sessionless, list_of(wanted)));
        }
        Ok((SessionKind::Incremental { id }, session.list()))
    }

    fn create(&mut self, list: &FetchList, by_id: bool, now: Instant) -> i32 {
        if !self.make_room(list.len(), now) {
            return 0;
        }
        let id = loop {
            let random = self.random.next_u64() & 0x7fff_ffff;
            let id = i32::try_from(random).unwrap_or_default();
            if id != 0 && !self.sessions.contains_key(&id) {
                break id;
            }
        };
        let mut session = FetchSession {
            partitions: BTreeMap::new(),
            by_order: BTreeMap::new(),
            next_order: 0,
            epoch: 1,
            by_id,
            last_used: now,
        };
        for (key, terms, _) in list {
            session.want(key, *terms);
        }
        self.sessions.insert(id, session);
        id
    }

    /// Finds a place: a free one, or that of a session that has been idle, or of one that is smaller than the new one.
    fn make_room(&mut self, size: usize, now: Instant) -> bool {
        if self.sessions.len() < self.slots {
            return true;
        }
        let idle = |session: &FetchSession| now - session.last_used > EVICT_AFTER;
        let oldest = self.sessions.iter().min_by_key(|(id, session)| (session.last_used, **id));
        let victim = match oldest {
            Some((&id, session)) if idle(session) => Some(id),
            Some(_) | None => self
                .sessions
                .iter()
                .min_by_key(|(id, session)| (session.partitions.len(), **id))
                .filter(|(_, session)| session.partitions.len() < size)
                .map(|(&id, _)| id),
        };
        victim.is_some_and(|id| self.sessions.remove(&id).is_some())
    }

    /// Takes note of what a response tells; those that brought records go to the end of the line.
    pub fn note(&mut self, id: i32, key: &FetchKey, told: LastTold, brought_records: bool) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(cached) = session.partitions.get_mut(key) else { return };
        cached.told = told;
        if brought_records {
            session.by_order.remove(&cached.order);
            cached.order = session.next_order;
            session.by_order.insert(session.next_order, key.clone());
            session.next_order += 1;
        }
    }
}

fn list_of(wanted: Vec<(FetchKey, FetchTerms)>) -> FetchList {
    wanted.into_iter().map(|(key, terms)| (key, terms, LastTold::default())).collect()
}

impl FetchSession {
    fn want(&mut self, key: &FetchKey, terms: FetchTerms) {
        if let Some(cached) = self.partitions.get_mut(key) {
            cached.terms = terms;
            return;
        }
        let order = self.next_order;
        self.next_order += 1;
        self.by_order.insert(order, key.clone());
        self.partitions.insert(key.clone(), Cached { terms, told: LastTold::default(), order });
    }

    fn forget(&mut self, key: &FetchKey) {
        if let Some(cached) = self.partitions.remove(key) {
            self.by_order.remove(&cached.order);
        }
    }

    fn list(&self) -> FetchList {
        let entry = |key: &FetchKey| {
            let cached = &self.partitions[key];
            (key.clone(), cached.terms, cached.told)
        };
        self.by_order.values().map(entry).collect()
    }
}
