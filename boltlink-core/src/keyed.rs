//! Values by key for many threads at once, out of which what is over is swept as others come.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
};

use parking_lot::Mutex;

/// A power of two. So many keys can be looked up at once.
pub(crate) const SHARDS: usize = 64;

/// Values by key, in parts that are locked one by one.
pub(crate) struct Keyed<V> {
    hasher: RandomState,
    shards: Box<[Mutex<Shard<V>>]>,
}

impl<V> Keyed<V> {
    pub(crate) fn new() -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::new(Shard { values: HashMap::new(), patience: 0 })).collect();
        Self { hasher: RandomState::new(), shards }
    }

    /// The part that has `key`, if anything has.
    pub(crate) fn shard(&self, key: &str) -> &Mutex<Shard<V>> {
        // The upper bits: the map within the shard uses the lower ones of its own hash.
        &self.shards[(self.hasher.hash_one(key) >> 32) as usize & (SHARDS - 1)]
    }

    /// How many keys there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().values.len()).sum()
    }
}

/// A part of the values.
pub(crate) struct Shard<V> {
    pub(crate) values: HashMap<Box<str>, V>,
    /// Calls until the next sweep.
    patience: usize,
}

impl<V> Shard<V> {
    /// Drops what is not to be kept, once in as many calls as there are keys: at a constant cost per call.
    pub(crate) fn sweep(&mut self, mut keep: impl FnMut(&V) -> bool) {
        if let Some(left) = self.patience.checked_sub(1) {
            self.patience = left;
            return;
        }
        self.values.retain(|_, value| keep(value));
        self.values.shrink_to(self.values.len() * 2);
        self.patience = self.values.len().max(64);
    }
}
