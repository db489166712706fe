//! The newest offset of each key.

use core::hash::{BuildHasherDefault, Hasher};

use hashbrown::HashMap;
use siphasher::sip128::{Hasher128, SipHasher13};

use crate::types::Offset;

/// The newest offset of each key, of as many keys as there is memory for.
///
/// Keys are told apart by 128 bits of SipHash under a key of our own: whoever could make two keys collide could have a record
/// deleted. Of an honest 2⁴⁰ keys two collide with a probability below 2⁻⁴⁸.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyMap {
    hash_key: u128,
    offsets: HashMap<u128, Offset, BuildHasherDefault<AlreadyHashed>>,
    keys_max: usize,
}

/// What an entry takes when the table has just grown: 32 bytes and one of control, half of them empty, seven eighths at most in
/// use.
const ENTRY_BYTES: u64 = 76;

impl KeyMap {
    /// An empty map that may take so many bytes (`log.cleaner.dedupe.buffer.size`).
    pub fn new(hash_key: u128, memory_bytes: u64) -> Self {
        let keys_max = usize::try_from(memory_bytes / ENTRY_BYTES).unwrap_or(usize::MAX).max(1);
        Self { hash_key, offsets: HashMap::default(), keys_max }
    }

    fn hash(&self, key: &[u8]) -> u128 {
        let mut hasher = SipHasher13::new_with_key(&self.hash_key.to_le_bytes());
        hasher.write(key);
        hasher.finish128().as_u128()
    }

    /// Takes note of a key. False if there is no memory for another one.
    #[must_use]
    pub fn insert(&mut self, key: &[u8], offset: Offset) -> bool {
        let hash = self.hash(key);
        if let Some(known) = self.offsets.get_mut(&hash) {
            *known = offset;
            return true;
        }
        if self.offsets.len() >= self.keys_max {
            return false;
        }
        self.offsets.insert(hash, offset);
        true
    }

    /// The newest offset of a key.
    pub fn newest(&self, key: &[u8]) -> Option<Offset> {
        self.offsets.get(&self.hash(key)).copied()
    }
}

/// The hash of what is a hash already.
#[derive(Debug, Clone, Copy, Default)]
struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.first_chunk().map_or(0, |first| u64::from_le_bytes(*first));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_the_newest_offset_of_as_many_keys_as_it_may() {
        let mut keys = KeyMap::new(7, 2 * ENTRY_BYTES);
        assert!(keys.insert(b"a", Offset(1)));
        assert!(keys.insert(b"b", Offset(2)));
        assert!(!keys.insert(b"c", Offset(3)), "there is no memory for a third key");
        assert!(keys.insert(b"a", Offset(4)), "a known key takes none");
        assert_eq!(keys.newest(b"a"), Some(Offset(4)));
        assert_eq!(keys.newest(b"b"), Some(Offset(2)));
        assert_eq!(keys.newest(b"c"), None);
    }
}
