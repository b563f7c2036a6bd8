//! Servers that answer every request with the same redirect and count nothing.

use std::{convert::Infallible, io::Write, net::SocketAddr};

use http_body_util::Empty;
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CACHE_CONTROL, HeaderValue, LOCATION},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use poem::{Route, Server, get, handler, listener::TcpAcceptor};
use tokio::{net::TcpListener, runtime::Builder};

use crate::{Result, visitors};

/// What answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Baseline {
    /// hyper alone, on a current-thread runtime: the floor of this HTTP stack.
    Hyper,
    /// The same on the runtime that ours is on, of as many threads as there are cores.
    HyperOnThreads,
    /// poem's server and one route.
    Poem,
}

impl Baseline {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Hyper => "hyper",
            Self::HyperOnThreads => "hyper-on-threads",
            Self::Poem => "poem",
        }
    }
}

/// Serves on a free port, which it prints, until it is killed.
pub(crate) fn serve(baseline: Baseline) -> Result {
    let mut runtime = match baseline {
        Baseline::HyperOnThreads => Builder::new_multi_thread(),
        Baseline::Hyper | Baseline::Poem => Builder::new_current_thread(),
    };
    let runtime = runtime.enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        println!("http://{}", listener.local_addr()?);
        std::io::stdout().flush()?;
        match baseline {
            Baseline::Hyper => hyper(listener).await,
            // As ours does: the thread that waits here is none of the runtime's.
            Baseline::HyperOnThreads => tokio::spawn(hyper(listener)).await?,
            Baseline::Poem => poem(listener).await,
        }
    })
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
