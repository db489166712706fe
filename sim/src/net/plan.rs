//! How the network behaves, as drawn from the seed.

use std::time::Duration;

use crate::{dice::Dice, faults::Family};

/// How the network behaves. Chances are per million.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetPlan {
    /// The least that a segment takes, and how much more on the average.
    pub latency_min: Duration,
    /// See `latency_min`.
    pub latency_mean: Duration,
    /// How many bytes a link carries in a second.
    pub bytes_per_second: u64,
    /// How many bytes may be under way or unread in one direction of a connection.
    pub window_bytes: usize,
    /// How often a segment is lost, and sent again.
    pub loss: u64,
    /// How often a segment is held, and for how long on the average.
    pub hold: u64,
    /// See `hold`.
    pub hold_mean: Duration,
    /// How many connections are reset.
    pub reset: u64,
    /// How many go dead without a word.
    pub half_open: u64,
    /// After how long on the average.
    pub trouble_after: Duration,
    /// How many connections are read byte by byte.
    pub one_byte: u64,
    /// How many connections have a tiny window.
    pub tiny_window: u64,
}

impl Default for NetPlan {
    /// A network without faults.
    fn default() -> Self {
        Self {
            latency_min: Duration::from_micros(50),
            latency_mean: Duration::from_micros(200),
            bytes_per_second: 100 << 20,
            window_bytes: 256 << 10,
            loss: 0,
            hold: 0,
            hold_mean: Duration::from_secs(5),
            reset: 0,
            half_open: 0,
            trouble_after: Duration::from_secs(5),
            one_byte: 0,
            tiny_window: 0,
        }
    }
}

impl NetPlan {
    /// Draws it.
    pub fn draw(dice: &mut Dice, has: &dyn Fn(Family) -> bool) -> Self {
        let micros = |dice: &mut Dice, range| Duration::from_micros(dice.magnitude(range));
        let rate = |dice: &mut Dice, family, range| {
            let rate = dice.magnitude(range);
            if has(family) { rate } else { 0 }
        };
        Self {
            latency_min: micros(dice, 10..5_000),
            latency_mean: micros(dice, 50..50_000),
            bytes_per_second: dice.magnitude(256 << 10..1 << 30),
            window_bytes: usize::try_from(dice.magnitude(4 << 10..512 << 10)).unwrap_or(1 << 16),
            loss: rate(dice, Family::NetLoss, 1_000..100_000),
            hold: rate(dice, Family::NetHold, 500..10_000),
            hold_mean: micros(dice, 1_000_000..20_000_000),
            reset: rate(dice, Family::NetReset, 20_000..300_000),
            half_open: rate(dice, Family::NetReset, 20_000..200_000),
            trouble_after: micros(dice, 100_000..20_000_000),
            one_byte: rate(dice, Family::NetBytes, 10_000..200_000),
            tiny_window: rate(dice, Family::NetBytes, 10_000..300_000),
        }
    }

    /// What was drawn, for the banner.
    pub fn banner(&self) -> String {
        let Self { latency_min, latency_mean, bytes_per_second, window_bytes, .. } = self;
        let Self { loss, hold, hold_mean, reset, half_open, trouble_after, .. } = self;
        let Self { one_byte, tiny_window, .. } = self;
        format!(
            "latency {latency_min:?}+{latency_mean:?}, {} KiB/s, window {window_bytes}, \
             loss {loss} ppm, hold {hold} ppm of {hold_mean:?}, \
             reset {reset} ppm and half-open {half_open} ppm after {trouble_after:?}, \
             one-byte {one_byte} ppm, tiny window {tiny_window} ppm",
            bytes_per_second >> 10
        )
    }
}
