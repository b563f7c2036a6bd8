//! The configuration: defaults < TOML file < environment < flags, every problem reported at once.

mod load;
mod print;
mod settings;
mod sources;
#[cfg(test)]
mod tests;
mod value;

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use boltlink_server::BaseUrl;

pub(crate) use self::{
    load::load,
    print::to_toml,
    settings::{Config, all, unknown},
    sources::{Input, Origin, flag},
};
use self::{sources::Sources, value::Domains};

/// One thing wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The setting.
    pub(crate) key: String,
    /// Who said it.
    pub(crate) origin: Origin,
    /// What is wrong.
    pub(crate) what: String,
    /// What to do.
    pub(crate) fix: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}\n    fix: {}", self.key, self.origin, self.what, self.fix)
    }
}

/// Makes a configuration of `input`, and of nothing else.
///
/// # Errors
/// Everything that is wrong, not only the first.
pub(crate) fn parse(input: &Input<'_>) -> Result<Config, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut sources = Sources::collect(input, &mut problems);
    let config = Config::read(&mut sources);
    let contradictions = contradictions(&sources);
    problems.extend(contradictions);
    if input.env.get("REDIS_URL").is_some_and(|url| !url.is_empty()) {
        problems.push(Problem {
            key: "redis_url".into(),
            origin: Origin::Env("REDIS_URL".into()),
            what: "is set, but this build works without Redis".into(),
            fix: "unset REDIS_URL".into(),
        });
    }
    config.filter(|_| problems.is_empty()).ok_or(problems)
}

impl Config {
    /// The database file.
    pub(crate) fn database(&self) -> PathBuf {
        match &self.storage.database_url {
            Some(url) => url.path().to_owned(),
            None => self.storage.data_dir.join("boltlink.db"),
        }
    }

    /// The folder of clicks that are not stored yet.
    pub(crate) fn journal(&self) -> PathBuf {
        self.storage.data_dir.join("journal")
    }

    /// The folder that everything else is in.
    pub(crate) fn data_dir(&self) -> &Path {
        &self.storage.data_dir
    }

    /// Whether nobody chose the address to listen on.
    pub(crate) fn listens_by_default(&self) -> bool {
        self.origins.get("listen") == Some(&Origin::Default)
    }
}

/// Settings that are right each by itself, but not together. Looked for even if others are wrong.
fn contradictions(sources: &Sources<'_>) -> Option<Problem> {
    let domains: Domains = sources.peek("domains")?;
    let base_url: Option<BaseUrl> = sources.peek("base_url")?;
    match base_url {
        Some(base_url) if domains.0.contains(base_url.host()) => Some(Problem {
            key: "domains".into(),
            origin: sources.origin("domains"),
            what: format!("names {}, which is the default domain by base_url", base_url.host()),
            fix: format!("remove {} from domains", base_url.host()),
        }),
        None if !domains.0.is_empty() => {
            let listen: SocketAddr =
                sources.peek("listen").filter(|listen: &SocketAddr| listen.ip().is_unspecified())?;
            Some(Problem {
                key: "base_url".into(),
                origin: sources.origin("base_url"),
                what: format!("is needed: with domains set, nobody could reach the default domain {listen}"),
                fix: "set base_url to how the outside reaches the service, such as https://go.example.com".into(),
            })
        }
        _ => None,
    }
}
