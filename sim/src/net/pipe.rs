//! One direction of a connection: segments that are under way, in order.

use std::{collections::VecDeque, task::Waker};

use bytes::{Buf, Bytes};

/// Never, as a time.
pub(super) const NEVER: u64 = u64::MAX;

/// What a segment carries.
#[derive(Debug, Clone)]
pub(super) enum Content {
    Bytes(Bytes),
    /// The end of what is sent.
    Fin,
    /// The end of the connection.
    Reset,
}

#[derive(Debug)]
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) sent: u64,
    /// When it arrives; [`NEVER`] while the link is cut.
    pub(super) arrives: u64,
    pub(super) content: Content,
}

/// What there is to read.
#[derive(Debug)]
pub(super) enum Readable {
    /// These bytes, which had been sent in this segment.
    Bytes {
        bytes: Bytes,
        number: u64,
        sent: u64,
        arrived: u64,
    },
    End,
    Reset,
    /// Nothing before this time.
    At(u64),
    /// Nothing that is under way.
    Nothing,
}

/// One direction of a connection.
#[derive(Debug)]
pub(super) struct Pipe {
    segments: VecDeque<Segment>,
    next_number: u64,
    /// How many bytes may be sent and not read.
    window: usize,
    unread: usize,
    /// Bytes that were read, while the link by which the sender would learn of it was cut.
    unacknowledged: usize,
    /// When the last segment arrives.
    last_arrival: u64,
    /// Until when the sender is busy sending.
    pub(super) busy_until: u64,
    /// The reader waits.
    pub(super) reader: Option<Waker>,
    /// The writer waits.
    pub(super) writer: Option<Waker>,
    has_ended: Option<bool>,
}

impl Pipe {
    pub(super) const fn new(window: usize) -> Self {
        Self {
            segments: VecDeque::new(),
            next_number: 0,
            window,
            unread: 0,
            unacknowledged: 0,
            last_arrival: 0,
            busy_until: 0,
            reader: None,
            writer: None,
            has_ended: None,
        }
    }

    /// How many bytes may be sent now.
    pub(super) const fn room(&self) -> usize {
        self.window.saturating_sub(self.unread)
    }

    /// Whether bytes are under way or unread.
    pub(super) const fn has_unread(&self) -> bool {
        self.unread > 0
    }

    /// A segment leaves: it arrives then, but not before those that left earlier. Returns its number.
    pub(super) fn push(&mut self, sent: u64, arrives: u64, content: Content) -> u64 {
        if let Content::Bytes(bytes) = &content {
            self.unread += bytes.len();
        }
        self.next_number += 1;
        let arrives = arrives.max(self.last_arrival);
        self.last_arrival = arrives;
        self.segments.push_back(Segment { number: self.next_number, sent, arrives, content });
        wake(&mut self.reader);
        self.next_number
    }

    /// Takes at most `limit` bytes of what has arrived.
    pub(super) fn read(&mut self, now: u64, limit: usize) -> Readable {
        match self.has_ended {
            Some(true) => return Readable::Reset,
            Some(false) => return Readable::End,
            None => {}
        }
        let Some(front) = self.segments.front_mut() else { return Readable::Nothing };
        if front.arrives == NEVER {
            return Readable::Nothing;
        }
        if front.arrives > now {
            return Readable::At(front.arrives);
        }
        let (number, sent, arrived) = (front.number, front.sent, front.arrives);
        let readable = match &mut front.content {
            Content::Bytes(bytes) => {
                let taken = bytes.len().min(limit);
                let read = bytes.split_to(taken);
                if bytes.has_remaining() {
                    return Readable::Bytes { bytes: read, number, sent, arrived };
                }
                Readable::Bytes { bytes: read, number, sent, arrived }
            }
            Content::Fin => Readable::End,
            Content::Reset => Readable::Reset,
        };
        match readable {
            Readable::End => self.has_ended = Some(false),
            Readable::Reset => self.has_ended = Some(true),
            Readable::Bytes { .. } | Readable::At(_) | Readable::Nothing => {}
        }
        self.segments.pop_front();
        readable
    }

    /// Whether a reset has arrived.
    pub(super) fn was_reset(&self, now: u64) -> bool {
        let has_arrived =
            |segment: &Segment| segment.arrives <= now && matches!(segment.content, Content::Reset);
        self.has_ended == Some(true) || self.segments.back().is_some_and(has_arrived)
    }

    /// Bytes were read; the sender learns of it now, or when the link back is mended.
    pub(super) fn acknowledge(&mut self, bytes: usize, is_cut: bool) {
        if is_cut {
            self.unacknowledged += bytes;
            return;
        }
        self.unread -= bytes;
        if self.unread * 2 <= self.window {
            wake(&mut self.writer);
        }
    }

    /// The window is at least so large from now on.
    pub(super) fn widen(&mut self, window: usize) {
        self.window = self.window.max(window);
        wake(&mut self.writer);
    }

    /// The link back was mended.
    pub(super) fn acknowledge_late(&mut self) {
        let bytes = std::mem::take(&mut self.unacknowledged);
        if bytes > 0 {
            self.acknowledge(bytes, false);
        }
    }

    /// The link was cut: what has not arrived does not.
    pub(super) fn cut(&mut self, now: u64) {
        for segment in &mut self.segments {
            if segment.arrives > now {
                segment.arrives = NEVER;
                self.last_arrival = NEVER;
            }
        }
    }

    /// The link was mended: what did not arrive is sent again, and arrives then.
    pub(super) fn mend(&mut self, arrives: u64) {
        if self.last_arrival != NEVER {
            return;
        }
        for segment in &mut self.segments {
            if segment.arrives == NEVER {
                segment.arrives = arrives;
            }
        }
        self.last_arrival = arrives;
        wake(&mut self.reader);
    }

    /// The sender is no more: what has not left never will.
    pub(super) fn forget_unsent(&mut self) {
        self.segments.retain(|segment| segment.arrives != NEVER);
        if self.last_arrival == NEVER {
            self.last_arrival = 0;
        }
    }

    /// Everything that is under way is lost, for good.
    pub(super) fn lose_all(&mut self) {
        self.segments.clear();
    }

    /// Wakes whoever waits, to see that things have changed.
    pub(super) fn wake_all(&mut self) {
        wake(&mut self.reader);
        wake(&mut self.writer);
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &'static str) -> Content {
        Content::Bytes(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn segments_arrive_in_order_and_in_parts() {
        let mut pipe = Pipe::new(10);
        pipe.push(0, 50, bytes("abc"));
        pipe.push(1, 20, bytes("d"));
        pipe.push(2, 20, Content::Fin);
        assert!(matches!(pipe.read(10, 9), Readable::At(50)));
        let Readable::Bytes { bytes, .. } = pipe.read(50, 2) else { panic!("it has arrived") };
        assert_eq!(bytes, "ab");
        let Readable::Bytes { bytes, .. } = pipe.read(50, 2) else { panic!("it has arrived") };
        assert_eq!(bytes, "c");
        assert!(matches!(pipe.read(50, 2), Readable::Bytes { .. }));
        assert!(matches!(pipe.read(50, 2), Readable::End));
        assert!(matches!(pipe.read(50, 2), Readable::End));
    }

    #[test]
    fn a_cut_link_carries_neither_bytes_nor_ends() {
        let mut pipe = Pipe::new(10);
        pipe.push(0, 50, bytes("abc"));
        pipe.cut(10);
        pipe.push(11, NEVER, Content::Fin);
        assert!(matches!(pipe.read(1_000, 9), Readable::Nothing));
        pipe.mend(2_000);
        assert!(matches!(pipe.read(1_000, 9), Readable::At(2_000)));
        assert!(matches!(pipe.read(2_000, 9), Readable::Bytes { .. }));
        assert!(matches!(pipe.read(2_000, 9), Readable::End));
    }

    #[test]
    fn the_window_moves_when_the_sender_hears_of_it() {
        let mut pipe = Pipe::new(3);
        pipe.push(0, 0, bytes("abc"));
        assert_eq!(pipe.room(), 0);
        assert!(matches!(pipe.read(1, 9), Readable::Bytes { .. }));
        pipe.acknowledge(3, true);
        assert_eq!(pipe.room(), 0);
        pipe.acknowledge_late();
        assert_eq!(pipe.room(), 3);
    }

    #[test]
    fn what_had_not_left_dies_with_its_sender() {
        let mut pipe = Pipe::new(10);
        pipe.push(0, 5, bytes("a"));
        pipe.push(0, NEVER, bytes("b"));
        pipe.forget_unsent();
        assert!(matches!(pipe.read(9, 9), Readable::Bytes { .. }));
        assert!(matches!(pipe.read(9, 9), Readable::Nothing));
    }
}
