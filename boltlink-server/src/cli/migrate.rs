//! `boltlink migrate`

use std::{fmt::Write, process::ExitCode};

use boltlink_core::{
    JournalConfig, SlugCase,
    journal::Journal,
    store::{LinkStore, SlugCaseChange},
};
use boltlink_store_postgres::PostgresStore;
use boltlink_store_sqlite::{SqliteConfig, SqliteStore, Sync};

use super::{
    engine::{self, Database},
    failure::{Failure, print},
};
use crate::config::{Config, DatabaseUrl};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Changes how slugs are told apart: sensitive or insensitive. Stop all servers first; nothing changes if links
    /// would then share a slug.
    #[arg(long, value_name = "CASE")]
    change_slug_case: Option<SlugCase>,
}

pub(super) async fn run(config: &Config, args: Args) -> Result<ExitCode, Failure> {
    engine::make_folder(config.data_dir())?;
    let database = config.database();
    let (steps, version) = match &database {
        DatabaseUrl::Sqlite(path) => {
            let migrated = SqliteStore::migrate(&SqliteConfig::new(path)).await.map_err(Failure::new)?;
            (migrated.applied.len(), migrated.version)
        }
        DatabaseUrl::Postgres(postgres) => {
            let migrated = PostgresStore::migrate(postgres).await.map_err(Failure::new)?;
            (migrated.applied.len(), migrated.version)
        }
    };
    let done = if steps == 0 { "was up to date".to_owned() } else { format!("is up to date after {steps} migrations") };
    print(&format!("{database} {done}: schema version {version}\n"))?;
    if let Some(case) = args.change_slug_case {
        refuse_beside_a_server(config)?;
        let database = Database::open(config, Sync::EachCommit, None).await?;
        let changed = change_slug_case(&*database.stores(None).links, case).await;
        database.close().await.map_err(Failure::new)?;
        print(&changed?)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A server spells slugs as was right when it started: what it would make meanwhile could never be found again.
fn refuse_beside_a_server(config: &Config) -> Result<(), Failure> {
    let cannot = |error| Failure::new(format_args!("cannot look whether a server runs: {error}"));
    let journal = Journal::open(JournalConfig::new(config.journal())).map_err(cannot)?;
    if journal.is_in_use().map_err(cannot)? {
        return Err(Failure::new("a server runs on this data; stop it, then run this again"));
    }
    Ok(())
}

async fn change_slug_case(links: &dyn LinkStore, case: SlugCase) -> Result<String, Failure> {
    match links.change_slug_case(case).await.map_err(Failure::new)? {
        SlugCaseChange::Done { respelled } => Ok(format!(
            "slugs are case-{case} now; {respelled} are spelled anew. Start the server with BOLTLINK_SLUG_CASE={case}\n"
        )),
        SlugCaseChange::Clashes(clashes) => {
            let mut text = "nothing was changed: more than one link would have each of these slugs".to_owned();
            for (domain, slug) in clashes {
                let domain = if domain.is_default() { "the default domain" } else { domain.as_str() };
                // Writing to a String cannot fail.
                let _ = write!(text, "\n    {slug} of {domain}");
            }
            Err(Failure::new(text + "\n    fix: give all but one of them another slug, then run this again"))
        }
    }
}
