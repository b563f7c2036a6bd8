//! Connections to one server, to the one that sentinels name, or to a cluster.

use redis::{
    AsyncConnectionConfig, Cmd, Pipeline, RedisFuture, RedisResult, Value,
    aio::{ConnectionLike, MultiplexedConnection, PubSub},
    cluster::ClusterClient,
    cluster_async::ClusterConnection,
    sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType},
};
use tokio::sync::Mutex;

use crate::config::{RedisConfig, SentinelUrl, Servers, tcp};

/// Makes connections.
pub(crate) struct Client {
    kind: Kind,
    options: AsyncConnectionConfig,
}

enum Kind {
    Single(Box<redis::Client>),
    /// It remembers which sentinel answered.
    Sentinel(Box<Mutex<SentinelClient>>),
    Cluster {
        client: Box<ClusterClient>,
        nodes: Vec<redis::Client>,
    },
}

/// A connection that any number of tasks may use at once.
#[derive(Clone)]
pub(crate) enum Connection {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Client {
    /// Connects to nobody yet.
    pub(crate) fn new(config: &RedisConfig) -> RedisResult<Self> {
        let kind = match &config.url.servers {
            Servers::Single(server) => Kind::Single(Box::new(redis::Client::open(server.clone())?)),
            Servers::Sentinel(sentinel) => Kind::Sentinel(Box::new(Mutex::new(sentinel_client(sentinel)?))),
            Servers::Cluster(nodes) => Kind::Cluster {
                client: Box::new(
                    ClusterClient::builder(nodes.clone())
                        .connection_timeout(config.connect_timeout)
                        .response_timeout(config.timeout)
                        .tcp_settings(tcp())
                        .build()?,
                ),
                nodes: nodes.iter().cloned().map(redis::Client::open).collect::<RedisResult<_>>()?,
            },
        };
        let options = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(config.connect_timeout))
            .set_response_timeout(Some(config.timeout));
        Ok(Self { kind, options })
    }

    pub(crate) async fn connect(&self) -> RedisResult<Connection> {
        let server = match &self.kind {
            Kind::Single(client) => client.get_multiplexed_async_connection_with_config(&self.options).await?,
            Kind::Sentinel(client) => client.lock().await.get_async_connection_with_config(&self.options).await?,
            Kind::Cluster { client, .. } => return Ok(Connection::Cluster(client.get_async_connection().await?)),
        };
        Ok(Connection::Server(server))
    }

    /// A connection that listens. On a cluster any node tells what was published on any other.
    pub(crate) async fn listen(&self) -> RedisResult<PubSub> {
        let mut failure = None;
        for client in self.nodes().await? {
            match client.get_async_pubsub().await {
                Ok(connection) => return Ok(connection),
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(|| (redis::ErrorKind::Client, "no server is named").into()))
    }

    /// Each server that is named.
    pub(crate) async fn nodes(&self) -> RedisResult<Vec<redis::Client>> {
        match &self.kind {
            Kind::Single(client) => Ok(vec![(**client).clone()]),
            Kind::Sentinel(client) => Ok(vec![client.lock().await.async_get_client().await?]),
            Kind::Cluster { nodes, .. } => Ok(nodes.clone()),
        }
    }

    /// A connection to one of the [`nodes`](Self::nodes).
    pub(crate) async fn connect_to(&self, node: &redis::Client) -> RedisResult<MultiplexedConnection> {
        node.get_multiplexed_async_connection_with_config(&self.options).await
    }
}

fn sentinel_client(url: &SentinelUrl) -> RedisResult<SentinelClient> {
    let sentinels = url.sentinels.iter().map(|sentinel| sentinel.addr().clone());
    let mut builder = SentinelClientBuilder::new(sentinels, &url.service, SentinelServerType::Master)?;
    let server = url.server.redis_settings();
    builder = builder.set_client_to_redis_db(server.db());
    builder = builder.set_client_to_redis_tcp_settings(tcp()).set_client_to_sentinel_tcp_settings(tcp());
    if let Some(user) = server.username() {
        builder = builder.set_client_to_redis_username(user);
    }
    if let Some(password) = server.password() {
        builder = builder.set_client_to_redis_password(password);
    }
    if let Some(password) = &url.sentinel_password {
        builder = builder.set_client_to_sentinel_password(password);
    }
    if let Some(tls) = url.tls {
        builder = builder.set_client_to_redis_tls_mode(tls);
    }
    builder.build()
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Server(connection) => connection.req_packed_command(cmd),
            Self::Cluster(connection) => connection.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Server(connection) => connection.req_packed_commands(pipeline, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Server(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}
