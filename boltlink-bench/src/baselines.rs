//! Servers that answer every request with the same redirect and count nothing.

use std::{
    convert::Infallible,
    io::{ErrorKind, Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use http_body_util::Empty;
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CACHE_CONTROL, HeaderValue, LOCATION},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use mio::{Events, Interest, Poll, Token};
use poem::{Route, Server, get, handler, listener::TcpAcceptor};
use tokio::{net::TcpListener, runtime::Builder};

use crate::{Result, visitors};

/// What answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Baseline {
    /// A loop around `epoll`, `recv` and `send` that reads nothing of what it is asked: what the kernel takes.
    RawLoop,
    /// hyper alone, on a current-thread runtime: the floor of this HTTP stack.
    Hyper,
    /// The same on a runtime for many threads, which has one on the servers' core.
    HyperOnThreads,
    /// poem's server and one route.
    Poem,
}

impl Baseline {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::RawLoop => "raw-loop",
            Self::Hyper => "hyper",
            Self::HyperOnThreads => "hyper-on-threads",
            Self::Poem => "poem",
        }
    }
}

/// A free port of this machine.
const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Serves on a free port, which it prints, until it is killed.
pub(crate) fn serve(baseline: Baseline) -> Result {
    // As ours does.
    #[cfg(target_os = "linux")]
    rustix::thread::disable_transparent_huge_pages(true)?;
    match baseline {
        Baseline::RawLoop => raw_loop(),
        Baseline::Hyper => serve_on(Builder::new_current_thread(), hyper),
        // As ours does: the thread that waits here is none of the runtime's.
        Baseline::HyperOnThreads => {
            serve_on(Builder::new_multi_thread(), async |listener| tokio::spawn(hyper(listener)).await?)
        }
        Baseline::Poem => serve_on(Builder::new_current_thread(), poem),
    }
}

fn serve_on(mut runtime: Builder, serve: impl AsyncFnOnce(TcpListener) -> Result) -> Result {
    runtime.enable_all().build()?.block_on(async {
        let listener = TcpListener::bind(ANY).await?;
        announce(listener.local_addr()?)?;
        serve(listener).await
    })
}

fn announce(address: SocketAddr) -> Result {
    println!("http://{address}");
    Ok(std::io::stdout().flush()?)
}

/// Takes whatever it reads at once for one request: the generator sends each whole, and the next one after the answer.
fn raw_loop() -> Result {
    const LISTENER: Token = Token(usize::MAX);
    let answer = format!(
        "HTTP/1.1 302 Found\r\nlocation: {}\r\ncache-control: no-store\r\ncontent-length: 0\r\n\
         date: Tue, 15 Nov 1994 08:12:31 GMT\r\n\r\n",
        visitors::constant_target()
    );
    let mut listener = mio::net::TcpListener::bind(ANY)?;
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(1024));
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    announce(listener.local_addr()?)?;
    let (mut connections, mut buffer) = (Vec::new(), [0; 16 << 10]);
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == LISTENER {
                while let Some((mut stream, _)) = unless_blocked(listener.accept())? {
                    stream.set_nodelay(true)?;
                    poll.registry().register(&mut stream, Token(connections.len()), Interest::READABLE)?;
                    connections.push(Some(stream));
                }
                continue;
            }
            let connection = &mut connections[event.token().0];
            let Some(stream) = connection else { continue };
            let answered = match unless_blocked(stream.read(&mut buffer)) {
                Ok(None) => true,
                Ok(Some(some)) => some > 0 && stream.write_all(answer.as_bytes()).is_ok(),
                Err(_) => false,
            };
            if !answered {
                *connection = None;
            }
        }
    }
}

fn unless_blocked<T>(outcome: std::io::Result<T>) -> std::io::Result<Option<T>> {
    match outcome {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        other => other.map(Some),
    }
}

async fn hyper(listener: TcpListener) -> Result {
    let location = HeaderValue::try_from(visitors::constant_target())?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let location = location.clone();
        let service = service_fn(move |_: Request<Incoming>| {
            let mut response = Response::new(Empty::<Bytes>::new());
            *response.status_mut() = StatusCode::FOUND;
            response.headers_mut().insert(LOCATION, location.clone());
            // What ours says, too: the bytes on the wire are the same.
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            async { Ok::<_, Infallible>(response) }
        });
        let connection = http1::Builder::new().pipeline_flush(true).serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            // However it ends, it is the generator's affair.
            let _ = connection.await;
        });
    }
}

#[handler]
fn constant() -> poem::Response {
    poem::Response::builder()
        .status(StatusCode::FOUND)
        .header(LOCATION, visitors::constant_target())
        .header(CACHE_CONTROL, "no-store")
        .finish()
}

async fn poem(listener: TcpListener) -> Result {
    let acceptor = TcpAcceptor::from_tokio(listener)?;
    Ok(Server::new_with_acceptor(acceptor).run(Route::new().at("/:slug", get(constant))).await?)
}
