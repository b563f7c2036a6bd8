//! What operators are told on a listener of their own.

use std::io;

use poem::{EndpointExt, Route, listener::TcpAcceptor, middleware::CatchPanic};
use poem_openapi::OpenApiService;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{api::Insider, health::HealthApi};

/// A listener that is served until this is dropped.
pub(crate) struct Serving(JoinHandle<io::Result<()>>);

impl Serving {
    /// Until it fails.
    pub(crate) async fn ended(mut self) -> io::Result<()> {
        (&mut self.0).await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Serves metrics and health checks to whoever reaches `listener`.
pub(crate) fn serve(listener: TcpListener, health: HealthApi) -> Serving {
    let service = OpenApiService::new(health, "BoltLink", env!("CARGO_PKG_VERSION"));
    let endpoint = Route::new().nest("/", service).data(Insider).with(CatchPanic::new());
    Serving(tokio::spawn(async move {
        poem::Server::new_with_acceptor(TcpAcceptor::from_tokio(listener)?).run(endpoint).await
    }))
}
