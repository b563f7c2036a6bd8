//! `boltlink keys create | list | show | rotate | revoke`

use std::{fmt::Write, process::ExitCode, time::Duration};

use boltlink_core::{
    Actor, ApiKey, ApiKeyId, Bounds, Domain, Error, InvalidNetwork, IpNet, KeyName, NewKey, Scope, Scopes, Shortener,
    Timestamp, store::KeyCursor,
};

use super::{
    engine::{self, Site},
    failure::{Failure, print},
    times::{or_never, to_the_second},
};
use crate::{config::Config, duration};

/// How many keys are read at once.
const PAGE: u32 = 500;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Makes a key and prints it: once, as only its hash is kept.
    Create(Create),
    /// Lists all keys, oldest first.
    List,
    /// Shows a key, but for its secret.
    Show {
        /// The key's id, as list shows it.
        id: ApiKeyId,
    },
    /// Gives a key a new secret and prints it: once.
    Rotate {
        /// The key's id, as list shows it.
        id: ApiKeyId,
        /// How long the secret before goes on working, such as 24h. Without it: not at all.
        #[arg(long, value_name = "DURATION", value_parser = duration::parse, default_value = "0s")]
        grace: Duration,
    },
    /// Makes a key worthless, within a second also on a running server.
    Revoke {
        /// The key's id, as list shows it.
        id: ApiKeyId,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Create {
    /// What the key is called in lists, such as "website".
    name: KeyName,
    /// Lets the key see and change everything. Without it, the key sees what was made with it.
    #[arg(long)]
    admin: bool,
    /// What the key is good for: links:read, links:write, analytics:read, keys:read, keys:write, admin; several with
    /// commas between them. Without it: links and analytics.
    #[arg(long, value_name = "SCOPE", value_delimiter = ',', conflicts_with = "admin")]
    scope: Vec<Scope>,
    /// A domain whose links the key sees and changes; may be repeated. Without it: all.
    #[arg(long)]
    domain: Vec<String>,
    /// A network from which the key may be used, such as 203.0.113.0/24; may be repeated. Without it: all.
    #[arg(long, value_parser = network)]
    network: Vec<IpNet>,
    /// How long the key works, such as 12h or 90d. Without it: until it is revoked.
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    expires_in: Option<Duration>,
}

fn network(text: &str) -> Result<IpNet, InvalidNetwork> {
    Bounds::network(text)
}

pub(super) async fn run(config: &Config, command: Command) -> Result<ExitCode, Failure> {
    let site = Site::new(config);
    let opened = match command {
        Command::Create(_) => engine::open(config).await?,
        _ => engine::open_existing(config).await?,
    };
    let answer = answer(&opened.shortener, &site, command).await;
    opened.close().await;
    print(&answer?)?;
    Ok(ExitCode::SUCCESS)
}

async fn answer(shortener: &Shortener, site: &Site, command: Command) -> Result<String, Failure> {
    let operator = &Actor::OPERATOR;
    Ok(match command {
        Command::Create(create) => {
            let new = create.describe(shortener, site)?;
            let (_, token) = shortener.create_key(operator, new).await?;
            format!("{}\n", token.reveal())
        }
        Command::List => table(&all(shortener).await?, shortener.now()),
        Command::Show { id } => details(&shortener.find_key(operator, id).await?, site, shortener.now()),
        Command::Rotate { id, grace } => {
            let (_, token) = shortener.rotate_key(operator, id, grace).await?;
            format!("{}\n", token.reveal())
        }
        Command::Revoke { id } => {
            shortener.revoke_key(operator, id).await?;
            format!("{id} is revoked.\n")
        }
    })
}

impl Create {
    fn describe(self, shortener: &Shortener, site: &Site) -> Result<NewKey, Failure> {
        let unsaid = if self.admin { Scopes::ADMIN } else { Scopes::MEMBER };
        let scopes = Scopes::new(self.scope).unwrap_or(unsaid);
        let domain = |name: &String| site.domain(name).map_err(|why| Failure::new(format_args!("--domain: {why}")));
        let domains = self.domain.iter().map(domain).collect::<Result<Vec<Domain>, _>>()?;
        // Who is no admin has an account of its own, and sees no more than what is made with the key.
        let owner = (!scopes.cover(Scope::Admin)).then(|| shortener.new_account());
        let expires_at = self.expires_in.map(|time| shortener.now().plus(time));
        let bounds = Bounds { domains, networks: self.network };
        Ok(NewKey { bounds, owner, expires_at, ..NewKey::new(self.name, scopes) })
    }
}

async fn all(shortener: &Shortener) -> Result<Vec<ApiKey>, Error> {
    let (mut keys, mut after): (Vec<ApiKey>, Option<KeyCursor>) = (Vec::new(), None);
    loop {
        let page = shortener.list_keys(&Actor::OPERATOR, after, PAGE).await?;
        keys.extend(page.keys);
        after = page.next;
        if after.is_none() {
            return Ok(keys);
        }
    }
}

fn state(key: &ApiKey, now: Timestamp) -> &'static str {
    match key.revoked_at {
        Some(_) => "revoked",
        None if key.is_valid_at(now) => "valid",
        None => "expired",
    }
}

/// One line a key; the name comes last, as it may have blanks in it.
fn table(keys: &[ApiKey], now: Timestamp) -> String {
    let mut text = format!(
        "{:36}  {:7}  {:20}  {:20}  {:20}  {:40}  NAME\n",
        "ID", "STATE", "CREATED", "EXPIRES", "USED", "SCOPES"
    );
    for key in keys {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{}  {:7}  {}  {:20}  {:20}  {:40}  {}",
            key.id,
            state(key, now),
            to_the_second(key.created_at),
            or_never(key.expires_at),
            or_never(key.last_used_at),
            key.scopes.to_string().replace(' ', ","),
            key.name
        );
    }
    text
}

/// One line for each thing that there is to say of a key.
fn details(key: &ApiKey, site: &Site, now: Timestamp) -> String {
    let Bounds { domains, networks } = &key.bounds;
    let or_all = |items: Vec<String>| if items.is_empty() { "all".to_owned() } else { items.join(", ") };
    let lines = [
        ("id", key.id.to_string()),
        ("name", key.name.to_string()),
        ("owner", key.owner.to_string()),
        ("state", state(key, now).to_owned()),
        ("scopes", key.scopes.to_string().replace(' ', ", ")),
        ("domains", or_all(domains.iter().map(|domain| site.hosts.authority(domain).to_owned()).collect())),
        ("networks", or_all(networks.iter().map(ToString::to_string).collect())),
        ("created", to_the_second(key.created_at)),
        ("expires", or_never(key.expires_at)),
        ("used", or_never(key.last_used_at)),
        ("revoked", or_never(key.revoked_at)),
        ("old secret until", key.previous.map_or_else(|| "-".to_owned(), |(_, until)| to_the_second(until))),
    ];
    lines.into_iter().fold(String::new(), |text, (name, value)| text + &format!("{name:17} {value}\n"))
}
