//! The migrations, oldest first. One that has been released is never changed.

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DbBackend, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, MigratorTrait, SchemaManager};

pub(crate) struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let migration =
            |name, sqlite, postgres| Box::new(SqlMigration { name, sqlite, postgres }) as Box<dyn MigrationTrait>;
        vec![
            migration(
                "m0001_first",
                include_str!("m0001_first.sqlite.sql"),
                Some(include_str!("m0001_first.postgres.sql")),
            ),
            migration("m0002_whole", include_str!("m0002_whole.sqlite.sql"), None),
            migration(
                "m0003_dead_letters",
                include_str!("m0003_dead_letters.sql"),
                Some(include_str!("m0003_dead_letters.sql")),
            ),
            migration(
                "m0004_scopes",
                include_str!("m0004_scopes.sqlite.sql"),
                Some(include_str!("m0004_scopes.postgres.sql")),
            ),
            migration(
                "m0005_accounts",
                include_str!("m0005_accounts.sqlite.sql"),
                Some(include_str!("m0005_accounts.postgres.sql")),
            ),
            migration(
                "m0006_link_passwords",
                include_str!("m0006_link_passwords.sql"),
                Some(include_str!("m0006_link_passwords.sql")),
            ),
            migration(
                "m0007_audit",
                include_str!("m0007_audit.sqlite.sql"),
                Some(include_str!("m0007_audit.postgres.sql")),
            ),
            migration(
                "m0008_quicker_lists",
                include_str!("m0008_quicker_lists.sql"),
                Some(include_str!("m0008_quicker_lists.sql")),
            ),
            migration(
                "m0009_packed_clicks",
                include_str!("m0009_packed_clicks.sqlite.sql"),
                Some(include_str!("m0009_packed_clicks.postgres.sql")),
            ),
            migration(
                "m0010_ledger_holes",
                include_str!("m0010_ledger_holes.sql"),
                Some(include_str!("m0010_ledger_holes.sql")),
            ),
            migration(
                "m0011_values_of_a_day",
                include_str!("m0011_values_of_a_day.sqlite.sql"),
                Some(include_str!("m0011_values_of_a_day.postgres.sql")),
            ),
        ]
    }
}

/// A migration as SQL text: tables without row ids, partitions and the like have no common spelling.
struct SqlMigration {
    name: &'static str,
    sqlite: &'static str,
    /// `None` if Postgres has had from an earlier one what this one brings.
    postgres: Option<&'static str>,
}

impl MigrationName for SqlMigration {
    fn name(&self) -> &str {
        self.name
    }
}

#[async_trait]
impl MigrationTrait for SqlMigration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let text = match manager.get_database_backend() {
            DbBackend::Sqlite => Some(self.sqlite),
            _ => self.postgres,
        };
        if let Some(text) = text {
            manager.get_connection().execute_unprepared(text).await?;
        }
        Ok(())
    }
}
