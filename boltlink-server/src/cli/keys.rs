//! `boltlink keys create | list | revoke`

use std::{fmt::Write, process::ExitCode, time::Duration};

use boltlink_core::{ApiKey, ApiKeyId, KeyName, NewKey, Shortener, Timestamp};

use super::{
    engine,
    failure::{Failure, print},
};
use crate::{config::Config, duration};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Makes a key and prints it: once, as only its hash is kept.
    Create {
        /// What the key is called in lists, such as "website".
        name: KeyName,
        /// Lets the key see and change everything. Without it, the key sees what was made with it.
        #[arg(long)]
        admin: bool,
        /// How long the key works, such as 12h or 90d. Without it: until it is revoked.
        #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
        expires_in: Option<Duration>,
    },
    /// Lists all keys, oldest first.
    List,
    /// Makes a key worthless, within a second also on a running server.
    Revoke {
        /// The key's id, as list shows it.
        id: ApiKeyId,
    },
}

pub(super) async fn run(config: &Config, command: Command) -> Result<ExitCode, Failure> {
    let opened = match command {
        Command::Create { .. } => engine::open(config).await?,
        Command::List | Command::Revoke { .. } => engine::open_existing(config).await?,
    };
    let answer = answer(&opened.shortener, command).await;
    opened.close().await;
    print(&answer?)?;
    Ok(ExitCode::SUCCESS)
}

async fn answer(shortener: &Shortener, command: Command) -> Result<String, boltlink_core::Error> {
    match command {
        Command::Create { name, admin, expires_in } => {
            let expires_at = expires_in.map(|time| shortener.now().plus(time));
            let (_, token) = shortener.create_key(NewKey { name, admin, owner: None, expires_at }).await?;
            Ok(format!("{}\n", token.reveal()))
        }
        Command::List => {
            let keys = shortener.list_keys().await?;
            Ok(table(&keys, shortener.now()))
        }
        Command::Revoke { id } => {
            shortener.revoke_key(id).await?;
            Ok(format!("{id} is revoked.\n"))
        }
    }
}

/// One line a key; the name comes last, as it may have blanks in it.
fn table(keys: &[ApiKey], now: Timestamp) -> String {
    let mut text = format!("{:36}  {:6}  {:7}  {:20}  {:20}  NAME\n", "ID", "ROLE", "STATE", "CREATED", "EXPIRES");
    for key in keys {
        let role = if key.admin { "admin" } else { "member" };
        let state = match key.revoked_at {
            Some(_) => "revoked",
            None if key.is_valid_at(now) => "valid",
            None => "expired",
        };
        let expires = key.expires_at.map_or_else(|| "never".to_owned(), to_the_second);
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{}  {role:6}  {state:7}  {}  {expires:20}  {}",
            key.id,
            to_the_second(key.created_at),
            key.name
        );
    }
    text
}

fn to_the_second(at: Timestamp) -> String {
    at.to_datetime().format("%Y-%m-%dT%H:%M:%SZ").to_string()
}
