//! How keys are named, and which part of the log a producer's batches go to.
//!
//! All keys of a shard have its hash tag, so that a script may use them together on a cluster. The limits and the number
//! of shards stand alone.

use boltlink_core::ProducerId;

use crate::config::KeyPrefix;

/// The keys of one shard, in the order in which every script gets them.
#[derive(Debug, Clone)]
pub(crate) struct ShardKeys(pub(crate) [String; 7]);

impl ShardKeys {
    pub(crate) fn new(prefix: &KeyPrefix, shard: u16) -> Self {
        // The batches · per batch its place, size and who has still to settle it · per consumer the ends of leases · cursors
        // and counters · clicks per link that are not stored yet · per producer the highest sequence seen.
        let names = ["stream", "held", "leases:t", "leases:a", "meta", "view", "seen"];
        Self(names.map(|name| format!("{}{{{shard}}}:{name}", prefix.as_str())))
    }
}

/// The key of the number of shards that may hold something.
pub(crate) fn shards(prefix: &KeyPrefix) -> String {
    format!("{}shards", prefix.as_str())
}

/// The channel on which changes are announced.
pub(crate) fn changes(prefix: &KeyPrefix) -> String {
    format!("{}changes", prefix.as_str())
}

/// The key of a limit.
pub(crate) fn limit(prefix: &KeyPrefix, key: &str) -> String {
    format!("{}limit:{key}", prefix.as_str())
}

/// The shard of a producer, of this many: Lamping and Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm" (2014).
/// One more shard moves as few producers as possible.
pub(crate) fn shard_of(producer: ProducerId, shards: u16) -> u16 {
    homes(producer, shards).last().unwrap_or(0)
}

/// The shards that a producer may have had while there were at most this many, in the order in which it moved; about
/// ln(`shards`) of them.
pub(crate) fn homes(producer: ProducerId, shards: u16) -> impl Iterator<Item = u16> {
    let bits = producer.as_uuid().as_u128();
    // The upper half begins with the time, the lower one is random.
    let mut state = (bits as u64) ^ (bits >> 64) as u64;
    let mut next = 0_i64;
    std::iter::from_fn(move || {
        let chosen = u16::try_from(next).ok().filter(|chosen| *chosen < shards)?;
        state = state.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        let unit = (1_u64 << 31) as f64 / ((state >> 33) + 1) as f64;
        next = (f64::from(chosen + 1) * unit) as i64;
        Some(chosen)
    })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn producer(number: u128) -> ProducerId {
        ProducerId::from_uuid(Uuid::from_u128(number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)))
    }

    #[test]
    fn producers_are_spread_and_stay_where_they_are() {
        let mut counts = [0; 8];
        for number in 0..8_000 {
            let producer = producer(number);
            let before = shard_of(producer, 7);
            let after = shard_of(producer, 8);
            assert!(after == before || after == 7, "moved from {before} to {after}");
            assert_eq!(shard_of(producer, 1), 0);
            let mut moves: Vec<_> = (1..=8).map(|shards| shard_of(producer, shards)).collect();
            moves.dedup();
            assert_eq!(homes(producer, 8).collect::<Vec<_>>(), moves);
            counts[usize::from(after)] += 1;
        }
        assert!(counts.iter().all(|count| (800..1_200).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_shard_has_one_hash_tag() {
        let keys = ShardKeys::new(&"t:".parse().unwrap(), 3);
        assert!(keys.0.iter().all(|key| key.starts_with("t:{3}:")));
    }
}
