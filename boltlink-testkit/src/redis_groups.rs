//! Redis as it is run at large: a cluster, a server with a stand-by that a sentinel looks after, and one behind TLS.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use tokio::{sync::OnceCell, time::sleep};
use uuid::Uuid;

use crate::{
    daemon::{Daemon, PATIENCE, POLL, free_port},
    database::named,
    error::Error,
    programs::{Program, Programs},
    redis::{Persistence, RedisServer},
    resp,
};

/// Names a cluster for all tests of a run. What they leave in it is not deleted.
pub(crate) const CLUSTER: &str = "BOLTLINK_TEST_REDIS_CLUSTER_URL";

/// Every server here asks for it.
const PASSWORD: &str = "throw-away";

/// How many slots a cluster has: Redis Cluster Specification, "Key distribution model".
const SLOTS: u32 = 16_384;

/// Three Redis servers, with a password, that share the slots of a cluster. They end with this.
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
    url: String,
}

impl RedisCluster {
    /// Starts them and waits until each knows of the others.
    ///
    /// # Errors
    /// As [`RedisServer::start`].
    pub async fn start() -> Result<Self, Error> {
        let mut nodes = Vec::new();
        for _ in 0..3 {
            let settings = |_: &_| Ok(vec!["--cluster-enabled".to_owned(), "yes".to_owned()]);
            nodes.push(RedisServer::start_with(Persistence::None, Some(PASSWORD), settings).await?);
        }
        let share = SLOTS / 3 + 1;
        for (number, node) in (0..).zip(&nodes) {
            let slots: Vec<_> =
                (number * share..SLOTS.min((number + 1) * share)).map(|slot| slot.to_string()).collect();
            let words = ["CLUSTER", "ADDSLOTS"].into_iter().chain(slots.iter().map(String::as_str));
            node.call(&words.collect::<Vec<_>>()).await?;
            node.call(&["CLUSTER", "MEET", "127.0.0.1", &nodes[0].port().to_string()]).await?;
        }
        let end = Instant::now() + PATIENCE;
        for node in &nodes {
            // Without an owner known for every slot it serves none, and says so.
            while node.call(&["GET", "x"]).await.is_err_and(|error| !error.to_string().contains("MOVED")) {
                if Instant::now() >= end {
                    return Err(Error::new("the nodes of the cluster do not find each other"));
                }
                sleep(POLL).await;
            }
        }
        let hosts: Vec<_> = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port())).collect();
        let url = format!("redis+cluster://:{PASSWORD}@{}", hosts.join(","));
        Ok(Self { nodes, url })
    }

    /// The address of a cluster that tests share, and a key prefix that nobody else has there: that of the cluster that
    /// `BOLTLINK_TEST_REDIS_CLUSTER_URL` names, as `cargo xtask test` does for a whole run; else of one that the tests of
    /// this process share.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn shared() -> Result<(String, String), Error> {
        // Never dropped: its servers end with the process.
        static SHARED: OnceCell<RedisCluster> = OnceCell::const_new();
        let url = match named(CLUSTER) {
            Some(url) => url,
            None => SHARED.get_or_try_init(Self::start).await?.url.clone(),
        };
        Ok((url, format!("t-{}:", Uuid::now_v7())))
    }

    /// The address of all nodes, with the password.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its servers.
    pub fn nodes(&mut self) -> &mut [RedisServer] {
        &mut self.nodes
    }
}

/// A Redis server, another one that follows it, and a sentinel that promotes that one when the first is gone. All ask
/// for a password, and end with this.
pub struct RedisSentinel {
    servers: [RedisServer; 2],
    // Kept for its end.
    _sentinel: Daemon,
    port: u16,
}

/// What the sentinel calls the two.
const SERVICE: &str = "links";

impl RedisSentinel {
    /// Starts them and waits until the sentinel knows both.
    ///
    /// # Errors
    /// As [`RedisServer::start`].
    pub async fn start(persistence: Persistence) -> Result<Self, Error> {
        let first = RedisServer::start_with(persistence, Some(PASSWORD), |_| Ok(Vec::new())).await?;
        let follow = |_: &_| Ok(vec!["--replicaof".to_owned(), format!("127.0.0.1 {}", first.port())]);
        let second = RedisServer::start_with(persistence, Some(PASSWORD), follow).await?;
        let (sentinel, port) = sentinel(first.port()).await?;
        let group = Self { servers: [first, second], _sentinel: sentinel, port };
        let end = Instant::now() + PATIENCE;
        while !group.ask(&["SENTINEL", "REPLICAS", SERVICE]).await?.starts_with("*1") {
            if Instant::now() >= end {
                return Err(Error::new("the sentinel does not find the server that follows"));
            }
            sleep(POLL).await;
        }
        Ok(group)
    }

    /// The address by which the sentinel is asked for the server.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis+sentinel://:{PASSWORD}@127.0.0.1:{}/{SERVICE}?sentinel_password={PASSWORD}", self.port)
    }

    /// The server that takes writes at first, and the one that follows it.
    pub fn servers(&mut self) -> &mut [RedisServer; 2] {
        &mut self.servers
    }

    async fn ask(&self, command: &[&str]) -> Result<String, Error> {
        resp::ask(&format!("redis://:{PASSWORD}@127.0.0.1:{}/", self.port), command).await
    }
}

/// A sentinel that looks after the server at this port.
async fn sentinel(server: u16) -> Result<(Daemon, u16), Error> {
    let program: Program = Programs::installed().redis()?;
    let mut daemon = Daemon::new("sentinel", &program, false)?;
    for _ in 0..5 {
        let port = free_port()?;
        let settings = format!(
            "port {port}\nbind 127.0.0.1\nrequirepass {PASSWORD}\nsentinel monitor {SERVICE} 127.0.0.1 {server} 1\n\
             sentinel auth-pass {SERVICE} {PASSWORD}\nsentinel down-after-milliseconds {SERVICE} 1000\n\
             sentinel failover-timeout {SERVICE} 5000\n"
        );
        // It writes there what it finds out.
        fs::write(daemon.directory().join("sentinel.conf"), settings)?;
        let mut command = daemon.command(&program)?;
        command.args(["sentinel.conf", "--sentinel"]);
        let url = format!("redis://:{PASSWORD}@127.0.0.1:{port}/");
        let answers = async || resp::ask(&url, &["PING"]).await.is_ok_and(|answer| answer == "+PONG");
        if daemon.start(&mut command, &["Address already in use"], answers).await? {
            return Ok((daemon, port));
        }
    }
    Err(daemon.failed("found no free port"))
}

/// A Redis server with a password that is also reached by TLS, with a certificate for `localhost` that a private
/// authority signed. It ends with this.
pub struct RedisOverTls {
    // Kept for its end.
    _server: RedisServer,
    url: String,
    authority: PathBuf,
}

impl RedisOverTls {
    /// Makes the certificates and starts it.
    ///
    /// # Errors
    /// As [`RedisServer::start`].
    pub async fn start() -> Result<Self, Error> {
        let port = free_port()?;
        let mut authority = PathBuf::new();
        let settings = |directory: &Path| {
            let file = |name: &str| directory.join(name).to_string_lossy().into_owned();
            authority = directory.join("authority.pem");
            certify(directory)?;
            let settings = [
                ["--tls-port".to_owned(), port.to_string()],
                ["--tls-auth-clients".to_owned(), "no".to_owned()],
                ["--tls-ca-cert-file".to_owned(), file("authority.pem")],
                ["--tls-cert-file".to_owned(), file("server.pem")],
                ["--tls-key-file".to_owned(), file("server.key")],
            ];
            Ok(settings.concat())
        };
        let server = RedisServer::start_with(Persistence::None, Some(PASSWORD), settings).await?;
        Ok(Self { _server: server, url: format!("rediss://:{PASSWORD}@localhost:{port}/"), authority })
    }

    /// Its address with TLS and the password.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The file of the certificate of the authority that signed the server's.
    #[must_use]
    pub fn authority(&self) -> &Path {
        &self.authority
    }
}

/// Writes the certificates of an authority and of a server on `localhost`, and the key of that.
fn certify(directory: &Path) -> Result<(), Error> {
    let failed = |error: rcgen::Error| Error::new(error.to_string());
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = rcgen::CertifiedIssuer::self_signed(params, rcgen::KeyPair::generate().map_err(failed)?);
    let authority = authority.map_err(failed)?;
    let key = rcgen::KeyPair::generate().map_err(failed)?;
    let params = rcgen::CertificateParams::new(["localhost".to_owned()]).map_err(failed)?;
    let certificate = params.signed_by(&key, &authority).map_err(failed)?;
    fs::write(directory.join("authority.pem"), authority.pem())?;
    fs::write(directory.join("server.pem"), certificate.pem())?;
    Ok(fs::write(directory.join("server.key"), key.serialize_pem())?)
}
