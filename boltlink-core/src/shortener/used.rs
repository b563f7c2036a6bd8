//! When API keys and sessions were used last: written down now and then, as nobody waits for it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{
    id::{ApiKeyId, SessionId},
    store::{AccountStore, KeyStore, SessionUse},
    time::Timestamp,
};

/// How long uses are gathered.
const INTERVAL: Duration = Duration::from_secs(60);

/// The last uses that are not stored yet: one entry a key or session, so never more than there are of these.
#[derive(Default)]
pub(super) struct Used {
    keys: Mutex<HashMap<ApiKeyId, Timestamp>>,
    /// When each was used, and when it expires by that.
    sessions: Mutex<HashMap<SessionId, (Timestamp, Timestamp)>>,
}

impl Used {
    pub(super) fn note(&self, id: ApiKeyId, at: Timestamp) {
        self.keys.lock().insert(id, at);
    }

    pub(super) fn note_session(&self, id: SessionId, at: Timestamp, expires_at: Timestamp) {
        self.sessions.lock().insert(id, (at, expires_at));
    }

    /// Stores them now and then, and at the end.
    pub(super) async fn run(
        self: Arc<Self>,
        keys: Arc<dyn KeyStore>,
        accounts: Arc<dyn AccountStore>,
        mut stop: watch::Receiver<bool>,
    ) {
        loop {
            let stopping = tokio::select! {
                () = tokio::time::sleep(INTERVAL) => false,
                _ = stop.wait_for(|stop| *stop) => true,
            };
            // In one order everywhere, as the rows are locked in it.
            let mut uses: Vec<_> = self.keys.lock().drain().collect();
            uses.sort_unstable();
            if !uses.is_empty()
                && let Err(error) = keys.touch(&uses).await
            {
                // What is not noted now is when the key is used again.
                tracing::warn!(%error, "cannot note when API keys were used");
            }
            let drained = std::mem::take(&mut *self.sessions.lock()).into_iter();
            let mut uses: Vec<_> = drained.map(|(id, (at, expires_at))| SessionUse { id, at, expires_at }).collect();
            uses.sort_unstable();
            if !uses.is_empty()
                && let Err(error) = accounts.touch(&uses).await
            {
                tracing::warn!(%error, "cannot note when sessions were used; those that are not used again end earlier");
            }
            if stopping {
                return;
            }
        }
    }
}
