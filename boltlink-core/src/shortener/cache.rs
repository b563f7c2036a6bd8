//! A bounded cache that loads what it lacks, once for all who ask.

use std::{
    collections::HashMap,
    future::Future,
    hash::Hash,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use quick_cache::{Equivalent, Weighter, sync::Cache};
use tokio::sync::watch;
use tracing::Instrument;

use crate::error::StoreError;

/// What a look-up finds; errors are never kept.
pub(super) type Found<V> = Option<V>;
type Answer<V> = Result<Found<V>, StoreError>;

/// How much a cached value weighs, in bytes, its key not counted.
pub(super) trait Weigh {
    fn weight(&self) -> u64;
}

/// Values by key, within a budget of bytes; keys known to have no value, within another.
///
/// Whoever changes a value in the store [evicts](Self::evict) it: that drops what is cached, and bars
/// a load that began earlier from filling the cache or answering anybody who asks from now on.
pub(super) struct LoadingCache<K, V> {
    values: Cache<K, V, Bytes>,
    /// Keys without a value have a budget of their own: guessing at slugs must not push out links.
    missing: Cache<K, (), Bytes>,
    loading: Arc<Mutex<HashMap<K, Load<V>>>>,
    loads: AtomicU64,
    deadline: Duration,
}

struct Load<V> {
    number: u64,
    answer: watch::Receiver<Option<Answer<V>>>,
}

/// What an entry costs beside its value: key, hash table, reference counts.
const OVERHEAD: u64 = 200;

#[derive(Clone)]
struct Bytes;

impl<K, V: Weigh> Weighter<K, V> for Bytes {
    fn weight(&self, _: &K, value: &V) -> u64 {
        OVERHEAD + value.weight()
    }
}

impl Weigh for () {
    fn weight(&self) -> u64 {
        0
    }
}

impl<K, V> LoadingCache<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Weigh + Clone + Send + Sync + 'static,
{
    /// A cache of about `bytes` bytes, a sixteenth of them for keys without a value, whose loads are
    /// given up after `deadline`.
    pub(super) fn new(bytes: u64, deadline: Duration) -> Self {
        let missing = bytes / 16;
        let items = |bytes: u64| usize::try_from(bytes / (2 * OVERHEAD)).unwrap_or(usize::MAX);
        Self {
            values: Cache::with_weighter(items(bytes - missing), bytes - missing, Bytes),
            missing: Cache::with_weighter(items(missing), missing, Bytes),
            loading: Arc::default(),
            loads: AtomicU64::new(0),
            deadline,
        }
    }

    /// What is cached of `key`: `None` means that it must be loaded.
    pub(super) fn peek<Q>(&self, key: &Q) -> Option<Found<V>>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.values.get(key).map(Some).or_else(|| self.missing.get(key).map(|()| None))
    }

    /// What the store has of `key`, from the cache or by `load`.
    ///
    /// The load runs on its own: nobody who goes away ends it, and its answer, an error too, is for
    /// everybody who waits.
    pub(super) async fn get_or_load<F>(self: &Arc<Self>, key: &K, load: impl FnOnce() -> F) -> Answer<V>
    where
        F: Future<Output = Answer<V>> + Send + 'static,
    {
        if let Some(found) = self.peek(key) {
            return Ok(found);
        }
        let mut answer = {
            let mut loading = self.loading.lock();
            match loading.get(key) {
                Some(load) => load.answer.clone(),
                None => {
                    let number = self.loads.fetch_add(1, Ordering::Relaxed);
                    let (sender, answer) = watch::channel(None);
                    loading.insert(key.clone(), Load { number, answer: answer.clone() });
                    tokio::spawn(self.clone().run(key.clone(), number, load(), sender).in_current_span());
                    answer
                }
            }
        };
        let answer = answer.wait_for(Option::is_some).await.ok().and_then(|answer| answer.clone());
        // Without an answer the loading task has died: with its runtime, or of a store that panicked.
        answer.unwrap_or_else(|| {
            self.evict(key);
            Err(StoreError::unavailable("the look-up was broken off"))
        })
    }

    async fn run(
        self: Arc<Self>,
        key: K,
        number: u64,
        load: impl Future<Output = Answer<V>>,
        sender: watch::Sender<Option<Answer<V>>>,
    ) {
        let answer = match tokio::time::timeout(self.deadline, load).await {
            Ok(answer) => answer,
            Err(_) => Err(StoreError::unavailable("the store took too long to answer")),
        };
        {
            let mut loading = self.loading.lock();
            // Evicted meanwhile: what was read may be old.
            if loading.get(&key).is_some_and(|load| load.number == number) {
                loading.remove(&key);
                match &answer {
                    Ok(Some(value)) => self.values.insert(key, value.clone()),
                    Ok(None) => self.missing.insert(key, ()),
                    Err(_) => {}
                }
            }
        }
        // Nobody may be waiting any more.
        let _ = sender.send(Some(answer));
    }

    /// How often something had to be loaded.
    pub(super) fn loads(&self) -> u64 {
        self.loads.load(Ordering::Relaxed)
    }

    /// How many values there are, and about how many bytes they take.
    pub(super) fn size(&self) -> (u64, u64) {
        (self.values.len() as u64, self.values.weight())
    }

    /// Forgets `key`, and what is being loaded of it.
    pub(super) fn evict(&self, key: &K) {
        let mut loading = self.loading.lock();
        loading.remove(key);
        self.values.remove(key);
        self.missing.remove(key);
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        let mut loading = self.loading.lock();
        loading.clear();
        self.values.clear();
        self.missing.clear();
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::{Notify, oneshot};

    use super::*;

    impl Weigh for u32 {
        fn weight(&self) -> u64 {
            4
        }
    }

    fn cache() -> Arc<LoadingCache<String, u32>> {
        Arc::new(LoadingCache::new(1 << 20, Duration::from_secs(1)))
    }

    #[tokio::test]
    async fn one_load_answers_all_who_wait() {
        let (cache, key) = (cache(), "k".to_owned());
        let (go, gate) = oneshot::channel::<()>();
        let first = {
            let (cache, key) = (cache.clone(), key.clone());
            tokio::spawn(async move {
                cache
                    .get_or_load(&key, || async {
                        let _ = gate.await;
                        Ok(Some(1))
                    })
                    .await
            })
        };
        tokio::task::yield_now().await;
        let second = {
            let (cache, key) = (cache.clone(), key.clone());
            tokio::spawn(async move { cache.get_or_load(&key, || async { panic!("loaded twice") }).await })
        };
        tokio::task::yield_now().await;
        first.abort(); // Who began the load goes away: it runs on.
        go.send(()).unwrap();
        assert_eq!(second.await.unwrap().unwrap(), Some(1));
        assert_eq!(cache.peek("k"), Some(Some(1)));
    }

    #[tokio::test]
    async fn errors_are_told_but_not_kept() {
        let (cache, key) = (cache(), "k".to_owned());
        let refused = cache.get_or_load(&key, || async { Err(StoreError::unavailable("away")) }).await;
        assert!(refused.is_err_and(|error| error.is_retryable()));
        assert_eq!(cache.peek("k"), None);
        assert_eq!(cache.get_or_load(&key, || async { Ok(None) }).await.unwrap(), None);
        assert_eq!(cache.peek("k"), Some(None));
    }

    #[tokio::test]
    async fn an_eviction_bars_the_loads_that_began_before() {
        let (cache, key) = (cache(), "k".to_owned());
        let gate = Arc::new(Notify::new());
        let old = {
            let (cache, key, gate) = (cache.clone(), key.clone(), gate.clone());
            tokio::spawn(async move {
                cache
                    .get_or_load(&key, || async move {
                        gate.notified().await;
                        Ok(Some(1))
                    })
                    .await
            })
        };
        tokio::task::yield_now().await;
        cache.evict(&key);
        assert_eq!(cache.get_or_load(&key, || async { Ok(Some(2)) }).await.unwrap(), Some(2));
        gate.notify_one();
        assert_eq!(old.await.unwrap().unwrap(), Some(1));
        assert_eq!(cache.peek("k"), Some(Some(2)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_load_has_a_deadline() {
        let (cache, key) = (cache(), "k".to_owned());
        let answer = cache.get_or_load(&key, std::future::pending).await;
        assert!(answer.is_err_and(|error| error.is_retryable()));
    }
}
