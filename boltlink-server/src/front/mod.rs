//! The way in: connections and their limits, and short links, which are answered here, before any
//! routing. Everything else goes on to the [`api`](crate::api).
//!
//! An accept loop of our own, because a server that faces the internet needs what poem's lacks: a
//! bound on connections and on the time each may waste, and answers to pipelined requests in one write.

mod answer;
mod aside;
mod body;
mod connections;
mod express;
mod plain;
mod relay;
mod service;
mod socket;
mod threads;
mod unlock;
mod writer;

use std::{
    future::{Future, poll_fn},
    io, mem,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use http::uri::Scheme;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::MissedTickBehavior,
};
use tokio_rustls::{Accept, server::TlsStream};

pub(crate) use self::{body::Body, service::Router};
use self::{
    connections::{Command, Connection, Connections},
    express::{End, Express},
    service::Service,
    socket::Socket,
    threads::Threads,
};
use crate::{
    metrics::Visits,
    server::{Limits, Stop, Stops},
    tls::Tls,
};

/// Serves connections.
pub(crate) struct Front {
    router: Arc<Router>,
    http: Arc<Http>,
    /// What a request's head may take.
    head_bytes: usize,
    limits: Limits,
    tls: Option<Tls>,
}

type Http = auto::Builder<TokioExecutor>;

impl Front {
    pub(crate) fn new(router: Router, limits: Limits, tls: Option<Tls>) -> Self {
        let mut http = auto::Builder::new(TokioExecutor::new());
        // hyper's own header timeout takes an allocation and a timer per request; `Connections` watches
        // all connections with one.
        let head_bytes = usize::try_from(limits.header_bytes).unwrap_or(usize::MAX).max(8 << 10);
        http.http1().pipeline_flush(true).header_read_timeout(None).max_buf_size(head_bytes);
        http.http2().max_header_list_size(limits.header_bytes).max_concurrent_streams(200);
        Self { router: Arc::new(router), http: Arc::new(http), head_bytes, limits, tls }
    }

    /// Accepts and serves until `stops` says so, then lets the connections end.
    ///
    /// # Errors
    /// If the operating system gives no threads.
    pub(crate) async fn serve(&self, listener: TcpListener, stops: &mut impl Stops) -> io::Result<()> {
        let threads = Threads::start(&self.router.metrics)?;
        if let Some(aside) = aside::threads() {
            self.router.metrics.watch_runtime(aside.clone());
        }
        let places = Arc::new(Semaphore::new(self.limits.connections.clamp(1, Semaphore::MAX_PERMITS)));
        let connections = Connections::new(&self.limits);
        let mut sweep = tokio::time::interval(connections.sweep_interval());
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stop = Box::pin(stops.next());
        let how = loop {
            // A place first: what we cannot serve stays in the kernel's queue.
            let accept = async {
                let place = places.clone().acquire_owned().await;
                (place, accept(&listener).await)
            };
            tokio::select! {
                biased;
                how = &mut stop => break how,
                _ = sweep.tick() => connections.sweep(),
                (place, stream) = accept => if let Ok(place) = place {
                    self.spawn(stream, place, &connections, &threads);
                },
            }
        };
        drop((listener, stop));
        let mut gone = async |patience| {
            let mut deadline = pin!(tokio::time::sleep(patience));
            while !connections.is_empty() {
                tokio::select! {
                    () = &mut deadline => break,
                    () = connections.changed() => {}
                    _ = sweep.tick() => connections.sweep(),
                }
            }
        };
        if how == Stop::Handover {
            connections.retire();
            tokio::select! {
                () = gone(self.limits.handover_timeout) => {}
                _ = stops.next() => {}
            }
        }
        connections.drain();
        gone(self.limits.drain_timeout).await;
        connections.stop();
        Ok(())
    }

    fn spawn(&self, stream: TcpStream, place: OwnedSemaphorePermit, connections: &Connections, threads: &Threads) {
        // Answers are small and whole: waiting to fill a packet only delays them.
        let _ = stream.set_nodelay(true);
        let (Ok(local), Ok(remote)) = (stream.local_addr(), stream.peer_addr()) else { return };
        // Its events go to its thread, not to where it was accepted.
        let (Some(seat), Ok(stream)) = (threads.seat(), stream.into_std()) else { return };
        let registration = connections.register();
        let connection = registration.connection().clone();
        let held = (place, registration);
        let (http, head_bytes, visits) = (self.http.clone(), self.head_bytes, seat.visits());
        let service = |scheme| Service::new(self.router.clone(), connection.clone(), local, remote, scheme);
        // Two kinds of tasks, so that a connection without TLS pays nothing for it.
        match self.tls.clone() {
            None => {
                let service = service(Scheme::HTTP);
                seat.spawn(async move {
                    let _held = held;
                    let Ok(stream) = TcpStream::from_std(stream) else { return };
                    converse(&http, stream, service, (&connection, visits, head_bytes)).await;
                });
            }
            Some(tls) => {
                let service = service(Scheme::HTTPS);
                seat.spawn(async move {
                    let _held = held;
                    let Ok(stream) = TcpStream::from_std(stream) else { return };
                    if let Some(stream) = shake_hands(tls.accept(stream), &connection).await {
                        converse(&http, stream, service, (&connection, visits, head_bytes)).await;
                    }
                });
            }
        }
    }
}

/// A TLS handshake. Its time counts as that of the first header.
async fn shake_hands(accept: Accept<TcpStream>, connection: &Connection) -> Option<TlsStream<TcpStream>> {
    let mut accept = pin!(accept);
    poll_fn(|cx| match connection.command(cx) {
        Command::Serve | Command::Retire => accept.as_mut().poll(cx).map(|done| {
            // Scanners, and clients that do not trust us: nothing that an operator could mend.
            done.inspect_err(|error| tracing::debug!(%error, "a TLS handshake failed")).ok()
        }),
        // Nothing was asked yet.
        Command::Drain | Command::Stop => Poll::Ready(None),
    })
    .await
}

/// Answers what is asked on `stream`, until either side has had enough.
async fn converse<S>(
    http: &Http,
    stream: S,
    service: Service,
    (connection, visits, head_bytes): (&Arc<Connection>, Arc<Visits>, usize),
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut express = Express::new(stream, connection.clone(), visits, head_bytes);
    let end = poll_fn(|cx| express.poll(&service, cx)).await;
    let (mut stream, unread) = express.into_parts();
    if matches!(end, End::Closed) {
        // Tried once: whoever does not read that we go need not be waited for.
        poll_fn(|cx| {
            let _ = Pin::new(&mut stream).poll_shutdown(cx);
            Poll::Ready(())
        })
        .await;
        return;
    }
    let socket = TokioIo::new(Socket::new(stream, unread.into(), connection.clone()));
    let mut serving = pin!(http.serve_connection(socket, service));
    let mut draining = false;
    poll_fn(|cx| {
        let command = connection.command(cx);
        if command == Command::Stop {
            return Poll::Ready(());
        }
        // First of all what is here already: hyper would not look at it once it is told to go. However it ends, it is the
        // client's affair.
        let served = serving.as_mut().poll(cx).map(drop);
        // HTTP/2 can say that this was all without crossing a request.
        let leaves = command >= Command::Drain || command == Command::Retire && connection.is_multiplexed();
        if served.is_ready() || !leaves || mem::replace(&mut draining, true) {
            return served;
        }
        serving.as_mut().graceful_shutdown();
        serving.as_mut().poll(cx).map(drop)
    })
    .await;
}

/// The next connection. Out of file descriptors or memory it waits a little instead of spinning: the
/// kernel would report the same failure again at once.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // The client was gone before we came to it.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionAborted
                        | io::ErrorKind::ConnectionReset
                        | io::ErrorKind::ConnectionRefused
                ) => {}
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted; trying again in 100 ms");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
