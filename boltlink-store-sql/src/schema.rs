//! The version of the schema, and how it is brought up to date.
//!
//! A release that changes the schema only adds to it; what it replaces is taken away a release
//! later. So a binary serves schemas newer than its own as long as they say that they are
//! [compatible](SchemaState::oldest_compatible).

use sea_orm::{DatabaseTransaction, DbBackend};
use sea_orm_migration::MigratorTrait;

use crate::{Error, copy, meta, migration::Migrator};

/// The version of the schema that this release writes.
pub const VERSION: u32 = 11;

/// The oldest release, by its [`VERSION`], that can serve this schema: one before passwords of links would send everybody
/// on who does not know them.
const OLDEST_COMPATIBLE: u32 = 6;

const VERSION_KEY: &str = "schema_version";
const OLDEST_COMPATIBLE_KEY: &str = "oldest_compatible";

/// What a database says of its own schema.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SchemaState {
    /// Its version; 0 if it is empty.
    pub version: u32,
    /// The oldest [`VERSION`] that can serve it.
    pub oldest_compatible: u32,
    /// Whether it holds a part of another database, of which a [copy] was begun and has not ended well.
    pub half_copied: bool,
}

impl SchemaState {
    /// Whether this release can serve the schema, perhaps after [`migrate`].
    #[must_use]
    pub const fn can_be_served(self) -> bool {
        self.oldest_compatible <= VERSION
    }

    /// Whether [`migrate`] has something to do.
    #[must_use]
    pub const fn is_behind(self) -> bool {
        self.version < VERSION
    }
}

/// Reads what the database says of its schema.
///
/// # Errors
/// The driver's.
pub async fn state(db: &impl sea_orm::ConnectionTrait) -> Result<SchemaState, Error> {
    let exists = match db.get_database_backend() {
        DbBackend::Sqlite => "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'meta'",
        _ => "SELECT 1 FROM pg_catalog.pg_class WHERE oid = to_regclass('meta')",
    };
    if crate::one(db, exists, []).await?.is_none() {
        return Ok(SchemaState::default());
    }
    let keys = [VERSION_KEY, OLDEST_COMPATIBLE_KEY, copy::HALF_DONE_KEY];
    let [version, oldest_compatible, half_done] = meta::read_all(db, keys).await?;
    let number = |text: Option<String>| text.and_then(|text| text.parse().ok()).unwrap_or(0);
    Ok(SchemaState {
        version: number(version),
        oldest_compatible: number(oldest_compatible),
        half_copied: half_done.is_some(),
    })
}

/// Writes what is there already, for a commit that has something to sync.
///
/// # Errors
/// The driver's.
pub async fn touch(db: &impl sea_orm::ConnectionTrait) -> Result<(), Error> {
    crate::execute(db, "UPDATE meta SET value = value WHERE key = $1", [VERSION_KEY.into()]).await?;
    Ok(())
}

/// Applies what is pending and says what that was.
///
/// `db` must hold a lock that keeps other processes from doing the same, taken before
/// [`state`] was read for the last time.
///
/// # Errors
/// The driver's; the transaction must then be rolled back.
pub async fn migrate(db: &DatabaseTransaction) -> Result<Vec<String>, Error> {
    let pending = Migrator::get_pending_migrations(db).await?;
    Migrator::up(db, None).await?;
    meta::write(db, VERSION_KEY, &VERSION.to_string()).await?;
    meta::write(db, OLDEST_COMPATIBLE_KEY, &OLDEST_COMPATIBLE.to_string()).await?;
    Ok(pending.iter().map(|migration| migration.name().to_owned()).collect())
}
