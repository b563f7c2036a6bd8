//! `boltlink migrate`

use std::{fmt::Write, process::ExitCode};

use boltlink_core::{
    SlugCase,
    store::{LinkStore, SlugCaseChange},
};
use boltlink_store_sqlite::{SqliteConfig, SqliteStore};

use super::{
    engine,
    failure::{Failure, print},
};
use crate::config::Config;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Changes how slugs are told apart: sensitive or insensitive. Stop the server first; nothing changes if links
    /// would then share a slug.
    #[arg(long, value_name = "CASE")]
    change_slug_case: Option<SlugCase>,
}

pub(super) async fn run(config: &Config, args: Args) -> Result<ExitCode, Failure> {
    engine::make_folder(config.data_dir())?;
    let path = config.database();
    let migrated = SqliteStore::migrate(&SqliteConfig::new(&path)).await.map_err(Failure::new)?;
    let steps = migrated.applied.len();
    let done = if steps == 0 { "was up to date".to_owned() } else { format!("is up to date after {steps} migrations") };
    print(&format!("{} {done}: schema version {}\n", path.display(), migrated.version))?;
    if let Some(case) = args.change_slug_case {
        let (store, stores) = engine::open_store(config).await?;
        let changed = change_slug_case(&*stores.links, case).await;
        store.close().await.map_err(Failure::new)?;
        print(&changed?)?;
    }
    Ok(ExitCode::SUCCESS)
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
