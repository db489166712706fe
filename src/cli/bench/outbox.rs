//! The requests under way on one connection, and what of them is still to be written.

use std::{collections::VecDeque, io::IoSlice, ops::Range, sync::Arc, time::Instant};

use super::frames::ProduceFrame;

/// Pieces that are written with one system call.
pub(super) const SLICES_MAX: usize = 64;

/// The requests under way on one connection.
#[derive(Debug)]
pub(super) struct Outbox {
    frame: Arc<ProduceFrame>,
    /// The frames' own parts, one place for each request that may be under way.
    ring: Vec<u8>,
    places: usize,
    /// The requests under way, oldest first: when each should have been sent. The oldest is in this place.
    waiting: VecDeque<Instant>,
    oldest: usize,
    oldest_correlation_id: i32,
    /// How many of them, the last ones, are not written, and how much of the first of those is.
    unwritten: usize,
    written_bytes: usize,
}

impl Outbox {
    /// Has room for `in_flight_max` requests.
    pub(super) fn new(frame: Arc<ProduceFrame>, in_flight_max: usize) -> Self {
        Self {
            ring: frame.own.repeat(in_flight_max),
            frame,
            places: in_flight_max,
            waiting: VecDeque::with_capacity(in_flight_max),
            oldest: 0,
            oldest_correlation_id: 0,
            unwritten: 0,
            written_bytes: 0,
        }
    }

    /// Whether another request may be under way.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < self.places
    }

    /// Whether nothing is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether all that is under way is written.
    pub(super) fn is_written(&self) -> bool {
        self.unwritten == 0
    }

    /// The request that is answered next, if it is written.
    pub(super) fn awaited_correlation_id(&self) -> Option<i32> {
        (self.waiting.len() > self.unwritten).then_some(self.oldest_correlation_id)
    }

    /// Takes on a request, for which there is room.
    pub(super) fn push(&mut self, partition: i32, intended: Instant) {
        debug_assert!(self.has_room());
        let age = i32::try_from(self.waiting.len()).unwrap_or(0);
        let correlation_id = self.oldest_correlation_id.wrapping_add(age);
        let own = self.own_part(self.waiting.len());
        self.frame.patch(&mut self.ring[own], correlation_id, partition);
        self.waiting.push_back(intended);
        self.unwritten += 1;
    }

    /// Where in the ring the own part of the `index`th request under way is.
    fn own_part(&self, index: usize) -> Range<usize> {
        let length = self.frame.own.len();
        let place = (self.oldest + index) % self.places;
        place * length..(place + 1) * length
    }

    /// Lays out what is not written, and returns how many pieces that is. Own parts that lie side by side and have nothing
    /// between them are one piece.
    pub(super) fn gather<'a>(&'a self, slices: &mut [IoSlice<'a>; SLICES_MAX]) -> usize {
        let shared = &self.frame.shared;
        let mut index = self.waiting.len() - self.unwritten;
        let mut skip = self.written_bytes;
        let mut count = 0;
        while index < self.waiting.len() && count + 1 < SLICES_MAX {
            let mut own = self.own_part(index);
            index += 1;
            if shared.is_empty() {
                while index < self.waiting.len() && self.own_part(index).start == own.end {
                    own.end = self.own_part(index).end;
                    index += 1;
                }
            }
            for part in [&self.ring[own], shared] {
                let skipped = skip.min(part.len());
                skip -= skipped;
                if skipped < part.len() {
                    slices[count] = IoSlice::new(&part[skipped..]);
                    count += 1;
                }
            }
        }
        count
    }

    /// Takes note of how much was written, and returns how many requests are written whole by it.
    pub(super) fn advance(&mut self, written: usize) -> usize {
        let frame_bytes = self.frame.own.len() + self.frame.shared.len();
        self.written_bytes += written;
        let whole = self.written_bytes / frame_bytes;
        self.written_bytes %= frame_bytes;
        self.unwritten -= whole;
        whole
    }

    /// Takes the oldest request off, and tells when it should have been sent.
    pub(super) fn finish_oldest(&mut self) -> Option<Instant> {
        let intended = self.waiting.pop_front()?;
        self.oldest = (self.oldest + 1) % self.places;
        self.oldest_correlation_id = self.oldest_correlation_id.wrapping_add(1);
        Some(intended)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use ottla_core::types::Uuid;

    use super::*;
    use crate::cli::bench::frames::TopicRef;

    fn whole(frame: &ProduceFrame, correlation_id: i32, partition: i32) -> Vec<u8> {
        let mut own = frame.own.clone();
        frame.patch(&mut own, correlation_id, partition);
        own.extend_from_slice(&frame.shared);
        own
    }

    #[test]
    fn what_is_laid_out_is_the_frames_in_order_however_much_is_written() {
        let topic = TopicRef { name: "t".into(), id: Uuid::ZERO };
        for batch_bytes in [10, 20_000] {
            let batch = Bytes::from(vec![b'x'; batch_bytes]);
            let frame = Arc::new(ProduceFrame::new(&topic, 9, 1, &batch));
            let mut outbox = Outbox::new(Arc::clone(&frame), 3);
            let (mut expected, mut seen, mut pushed, mut done) = (vec![], vec![], 0, 0);
            for round in 0..20 {
                while outbox.has_room() {
                    expected.extend(whole(&frame, pushed, round));
                    outbox.push(round, Instant::now());
                    pushed += 1;
                }
                let mut slices = [IoSlice::new(&[]); SLICES_MAX];
                let count = outbox.gather(&mut slices);
                let offered: Vec<u8> =
                    slices[..count].iter().flat_map(|slice| slice.iter().copied()).collect();
                let written = offered.len() * 2 / 3 + 1;
                seen.extend_from_slice(&offered[..written]);
                for _ in 0..outbox.advance(written) {
                    assert_eq!(outbox.awaited_correlation_id(), Some(done));
                    assert!(outbox.finish_oldest().is_some());
                    done += 1;
                }
            }
            assert!(seen == expected[..seen.len()], "{batch_bytes}");
            assert!(done > 20);
        }
    }

    #[test]
    fn a_request_that_is_not_written_is_not_awaited() {
        let topic = TopicRef { name: "t".into(), id: Uuid::ZERO };
        let frame = Arc::new(ProduceFrame::new(&topic, 9, 1, &Bytes::from_static(b"x")));
        let mut outbox = Outbox::new(Arc::clone(&frame), 1);
        assert!(outbox.is_idle() && outbox.is_written());
        outbox.push(0, Instant::now());
        assert!(!outbox.has_room() && !outbox.is_written());
        assert_eq!(outbox.awaited_correlation_id(), None);
        assert_eq!(outbox.advance(frame.own.len()), 1);
        assert_eq!(outbox.awaited_correlation_id(), Some(0));
    }
}
