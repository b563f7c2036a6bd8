//! A network that fails.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
    time::sleep,
};

use crate::error::Error;

/// A TCP proxy on the loopback between clients and a server, whose faults are turned on and off at
/// any time. Without any it passes on everything as it comes.
///
/// Dropping it closes its port and all its connections. It needs the runtime in which it was started.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port and passes on to `target`.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn start(target: SocketAddr) -> Result<Self, Error> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let faults = Faults { target, refuse: false, delay: Duration::ZERO, lost: Lost::Nothing };
        let shared = Arc::new(Shared { faults: Mutex::new(faults), cut: watch::Sender::new(0) });
        let task = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, task })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes all connections that there are, without waiting for what is under way.
    pub fn cut(&self) {
        self.shared.cut.send_modify(|cuts| *cuts += 1);
    }

    /// Resets every new connection as soon as it is made. Those that there are go on.
    pub fn refuse(&self, refuse: bool) {
        self.shared.faults().refuse = refuse;
    }

    /// Holds back everything by this much on its way, in each direction, on all connections.
    pub fn delay(&self, delay: Duration) {
        self.shared.faults().delay = delay;
    }

    /// On all connections: lets the server see what the client says, swallows what it answers, and
    /// then closes. So the client cannot know whether it was heard.
    pub fn lose_replies(&self, lose: bool) {
        self.shared.faults().lost = if lose { Lost::Everything } else { Lost::Nothing };
    }

    /// The same for the next reply only: that to the first request that contains these bytes, such as
    /// `COMMIT`. Replaces what [`lose_replies`](Self::lose_replies) says.
    pub fn lose_reply_to(&self, request: impl Into<Vec<u8>>) {
        self.shared.faults().lost = Lost::ReplyTo(request.into());
    }

    /// Passes on new connections to `target`. Those that there are stay where they are: see
    /// [`cut`](Self::cut).
    pub fn switch(&self, target: SocketAddr) {
        self.shared.faults().target = target;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        self.cut();
    }
}

struct Shared {
    faults: Mutex<Faults>,
    cut: watch::Sender<u64>,
}

struct Faults {
    target: SocketAddr,
    refuse: bool,
    delay: Duration,
    lost: Lost,
}

enum Lost {
    Nothing,
    Everything,
    ReplyTo(Vec<u8>),
}

impl Shared {
    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        // An error is one connection's, which was gone before it was accepted.
        let Ok((client, _)) = listener.accept().await else { continue };
        let (refuse, target) = {
            let faults = shared.faults();
            (faults.refuse, faults.target)
        };
        if refuse {
            // So that the client sees a reset instead of an orderly end.
            let _ = client.set_zero_linger();
            continue;
        }
        let shared = Arc::clone(&shared);
        // Asked here, so that a cut after the client has connected is never missed.
        let mut cut = shared.cut.subscribe();
        tokio::spawn(async move {
            tokio::select! {
                () = connect(client, target, &shared) => {}
                _ = cut.changed() => {}
            }
        });
    }
}

/// Serves one connection until either side closes it.
async fn connect(client: TcpStream, target: SocketAddr, shared: &Shared) {
    let Ok(server) = TcpStream::connect(target).await else { return };
    // It is a test that sets how long things take, not the system.
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let (doomed, is_doomed) = watch::channel(false);
    tokio::select! {
        () = ask(from_client, to_server, shared, &doomed) => {}
        () = answer(from_server, to_client, shared, &is_doomed) => {}
    }
}

/// Passes on what the client says.
async fn ask(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, shared: &Shared, doomed: &watch::Sender<bool>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(length @ 1..) = from.read(&mut buffer).await else { return };
        let delay = {
            let mut faults = shared.faults();
            if matches!(&faults.lost, Lost::ReplyTo(request) if contains(&buffer[..length], request)) {
                faults.lost = Lost::Nothing;
                // Before the server hears it, so that no answer can be too quick.
                doomed.send_replace(true);
            }
            faults.delay
        };
        sleep(delay).await;
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

/// Passes on what the server says, or ends.
async fn answer(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, shared: &Shared, doomed: &watch::Receiver<bool>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(length @ 1..) = from.read(&mut buffer).await else { return };
        let (delay, lose) = {
            let faults = shared.faults();
            (faults.delay, matches!(faults.lost, Lost::Everything) || *doomed.borrow())
        };
        if lose {
            return;
        }
        sleep(delay).await;
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && text.windows(part.len()).any(|window| window == part)
}
