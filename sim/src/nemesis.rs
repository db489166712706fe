//! What troubles the world.
