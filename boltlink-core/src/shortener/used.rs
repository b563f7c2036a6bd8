//! When API keys were used last: written down now and then, as nobody waits for it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{id::ApiKeyId, store::KeyStore, time::Timestamp};

/// How long uses are gathered.
const INTERVAL: Duration = Duration::from_secs(60);

/// The last uses that are not stored yet: one entry a key, so never more than there are keys.
#[derive(Default)]
pub(super) struct Used(Mutex<HashMap<ApiKeyId, Timestamp>>);

impl Used {
    pub(super) fn note(&self, id: ApiKeyId, at: Timestamp) {
        self.0.lock().insert(id, at);
    }

    /// Stores them now and then, and at the end.
    pub(super) async fn run(self: Arc<Self>, keys: Arc<dyn KeyStore>, mut stop: watch::Receiver<bool>) {
        loop {
            let stopping = tokio::select! {
                () = tokio::time::sleep(INTERVAL) => false,
                _ = stop.wait_for(|stop| *stop) => true,
            };
            let mut uses: Vec<_> = self.0.lock().drain().collect();
            // In one order everywhere, as the rows are locked in it.
            uses.sort_unstable();
            if !uses.is_empty()
                && let Err(error) = keys.touch(&uses).await
            {
                // What is not noted now is when the key is used again.
                tracing::warn!(%error, "cannot note when API keys were used");
            }
            if stopping {
                return;
            }
        }
    }
}
