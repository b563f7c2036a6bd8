//! Building a shortener: what runs behind it, and in which order.

use std::sync::Arc;

use tokio::sync::{Notify, watch};

use super::{
    BuildError, Caches, Durability, Engine, Shortener, ShortenerBuilder, Stage, Tasks,
    audit::Auditor,
    commit::{Committer, Parts},
    counters::Counts,
    delivery::{Delivery, Outbox},
    gather::{Gathered, Gatherer},
    hasher::Hasher,
    keeper::Keeper,
    pipeline::Pipeline,
    recorder::Recorder,
    spool::Spool,
    used::Used,
    watcher::Watcher,
};
use crate::{mac::MacKey, random::EntropyExt, store::Consumer, stores::Stores};

/// What both ends of a click's way work with.
type Shared<'a> = (&'a Arc<Spool>, &'a Arc<Counts>, &'a Arc<Notify>);

impl ShortenerBuilder {
    /// Builds the shortener and starts its background tasks on the current tokio runtime.
    ///
    /// # Errors
    /// [`BuildError`]; nothing is left running then.
    pub async fn build(self) -> Result<Shortener, BuildError> {
        let stores = self.stores.clone().unwrap_or_else(|| Stores::in_memory(self.clock.clone()));
        let kept = stores.links.slug_case(self.slug_rules.case).await?;
        if kept != self.slug_rules.case {
            return Err(BuildError::SlugCase { kept, wanted: self.slug_rules.case });
        }
        let head = stores.changes.head().await?;
        let counts = Arc::new(Counts::default());
        let caches = Caches::new(self.cache_bytes, self.store_timeout);
        let used = Arc::new(Used::default());
        let mut tasks = Tasks::default();
        let mut recorder = None;
        let secret = match self.secret {
            Some(secret) => secret,
            None if self.visits => stores.keys.server_secret(self.entropy.bytes()).await?,
            // Not worth a write to stores that somebody may only want to look at.
            None => self.entropy.bytes(),
        };
        let settled = Arc::new(Notify::new());
        let spool = Arc::new(if self.visits { self.open_spool()? } else { Spool::none() });
        let (mut keeper, mut outbox) = (None, None);
        if self.visits {
            let way = Arc::new(Outbox::new(counts.clone()));
            let shared = (&spool, &counts, &settled);
            let (started, kept) = self.start_recording(&stores, secret, shared, way.clone(), &mut tasks)?;
            (recorder, keeper, outbox) = (Some(started), kept, Some(way));
        }
        let gathered = self.start_consumers(&stores, (&spool, &counts, &settled), &mut tasks);
        if let Some(keeper) = keeper {
            let (stop, stopped) = watch::channel(false);
            tasks.0.push(Stage { stop, tasks: vec![tokio::spawn(keeper.run(stopped))] });
        }
        if self.visits {
            let (stop, stopped) = watch::channel(false);
            let watcher = Watcher { log: stores.changes.clone(), clock: self.clock.clone(), caches: caches.clone() };
            let uses = used.clone().run(stores.keys.clone(), stores.accounts.clone(), stopped.clone());
            tasks.0.push(Stage { stop, tasks: vec![tokio::spawn(watcher.run(head, stopped)), tokio::spawn(uses)] });
        }
        let mac = MacKey::new(&secret);
        let pass_key = super::derive_key(&mac, "passes of links");
        let (audit, writer) = Auditor::new(stores.audit.clone(), self.store_timeout);
        let (stop, stopped) = watch::channel(false);
        tasks.0.push(Stage { stop, tasks: vec![tokio::spawn(writer.run(stopped))] });
        Ok(Shortener(Arc::new(Engine {
            stores,
            clock: self.clock,
            entropy: self.entropy,
            slugs: self.slugs,
            slug_rules: self.slug_rules,
            policy: self.policy,
            secret: mac,
            caches,
            used,
            audit,
            hasher: Hasher::new(self.hash_cost),
            pass_key,
            session_lifetime: self.session_lifetime,
            recorder,
            gathered,
            counts,
            spool,
            outbox,
            durability: self.durability,
            unacknowledged: self.unacknowledged,
            store_timeout: self.store_timeout,
            tasks: parking_lot::Mutex::new(tasks),
        })))
    }

    /// Starts the way of a click up to the log: recorder and delivery. The keeper is to run, and stop, after the
    /// consumers.
    fn start_recording(
        &self,
        stores: &Stores,
        secret: [u8; 32],
        (spool, counts, settled): Shared<'_>,
        outbox: Arc<Outbox>,
        tasks: &mut Tasks,
    ) -> Result<(Recorder, Option<Keeper>), BuildError> {
        let durable = self.durability == Durability::Acknowledged;
        if durable && !spool.keeps() {
            return Err(BuildError::NoJournal);
        }
        let recorder = Recorder::start(Committer::new(Parts {
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            secret,
            spool: spool.clone(),
            outbox: outbox.clone(),
            counts: counts.clone(),
            durable,
        }))
        .map_err(BuildError::Thread)?;

        let delivery = Arc::new(Delivery::new(outbox, stores.log.clone(), {
            let spool = spool.clone();
            move |producer| spool.find(producer)
        }));
        let (stop, stopped) = watch::channel(false);
        let mut behind = vec![tokio::spawn(delivery.clone().run(stopped.clone()))];
        if durable {
            behind.push(tokio::spawn(recorder.acks().expire(self.ack_timeout, stopped)));
        }
        tasks.0.push(Stage { stop, tasks: behind });

        let keeper = spool.keeps().then(|| Keeper {
            spool: spool.clone(),
            sinks: [stores.totals.clone(), stores.analytics.clone()],
            log: stores.log.clone(),
            delivery,
            settled: settled.clone(),
        });
        Ok((recorder, keeper))
    }

    /// Starts the consumers of the log, and says what they show of what they have added up.
    fn start_consumers(
        &self,
        stores: &Stores,
        (spool, counts, settled): Shared<'_>,
        tasks: &mut Tasks,
    ) -> [Arc<Gathered>; 2] {
        let (stop, stopped) = watch::channel(false);
        let gathered: [Arc<Gathered>; 2] = Default::default();
        let consumers = Consumer::ALL.into_iter().filter(|consumer| self.consumers.contains(consumer));
        let consumers = consumers.map(|consumer| {
            let (sink, interval) = match consumer {
                Consumer::Totals => (&stores.totals, self.flush_interval),
                // Nobody watches rollups live, and the longer a group the cheaper: every second interval.
                Consumer::Analytics => (&stores.analytics, self.flush_interval * 2),
            };
            let shared = stores.log.outlives_process();
            let gathered = gathered[consumer as usize].clone();
            let (spool, clock) = (spool.clone(), self.clock.clone());
            // Of a log that others share, totals are not: what it has given away shows in nobody's totals until it is stored.
            let adds_up = !shared || consumer == Consumer::Analytics;
            let gatherer =
                adds_up.then(|| Gatherer::new(gathered, sink.clone(), spool.clone(), clock, (interval, shared)));
            let pipeline = Pipeline {
                consumer,
                sink: sink.clone(),
                log: stores.log.clone(),
                spool,
                interval,
                settled: settled.clone(),
                counts: counts.clone(),
                tracer: self.tracer.clone(),
            };
            tokio::spawn(pipeline.run(gatherer.flatten(), stopped.clone()))
        });
        tasks.0.push(Stage { stop, tasks: consumers.collect() });
        gathered
    }

    #[cfg(feature = "journal")]
    fn open_spool(&self) -> Result<Spool, BuildError> {
        let Some(config) = &self.journal else { return Ok(Spool::none()) };
        Spool::open(config).map_err(|source| BuildError::Journal { dir: config.dir.display().to_string(), source })
    }

    #[cfg(not(feature = "journal"))]
    #[allow(clippy::unused_self, clippy::unnecessary_wraps)] // The twin of the one above.
    fn open_spool(&self) -> Result<Spool, BuildError> {
        Ok(Spool::none())
    }
}
