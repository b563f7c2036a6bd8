//! Threads for everything but visits.
//!
//! A runtime's threads take tasks in the order in which they can go on. So a visit, of a few microseconds, would wait for
//! all requests of the API that came before; during a flood of logins that is milliseconds. Between threads the operating
//! system decides, which lets those that ran little go first.

use std::{future::Future, sync::LazyLock};

use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::JoinSet,
};

/// As many threads as there are cores. They live as long as the process, as connections to databases that were opened on
/// them do; the servers of one process share them.
static THREADS: LazyLock<Option<Runtime>> = LazyLock::new(|| {
    let runtime = Builder::new_multi_thread().thread_name("boltlink-api").enable_all().build();
    runtime.inspect_err(|error| tracing::warn!(%error, "no threads for the API: visits may wait for it")).ok()
});

/// Those threads, if there are any.
pub(super) fn threads() -> Option<&'static Handle> {
    THREADS.as_ref().map(Runtime::handle)
}

/// Does `work` on those threads. Whoever drops the future stops it. `None` if it panicked.
pub(super) async fn run<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Option<T> {
    let here = Handle::current();
    run_on(threads().unwrap_or(&here), work).await
}

/// Does `work` on the threads of `runtime`, in the same way.
pub(super) async fn run_on<T: Send + 'static>(
    runtime: &Handle,
    work: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    let mut task = JoinSet::new();
    task.spawn_on(work, runtime);
    task.join_next().await?.ok()
}
