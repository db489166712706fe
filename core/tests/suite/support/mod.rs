//! What the tests share.

pub(crate) mod broker;
pub(crate) mod client;
pub(crate) mod dice;
pub(crate) mod disk;
pub(crate) mod group;
