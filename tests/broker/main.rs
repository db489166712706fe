//! The broker from outside, and how well it refuses: the real binary, over real sockets, with what no client should send.
#![allow(clippy::unwrap_used, reason = "a test ends where its set-up fails")]
#![allow(clippy::disallowed_methods, reason = "the broker under test lives in real time")]

mod bombs;
mod clients;
mod disk;
mod frames;
mod metadata;
mod produce;
mod start;
mod support;
