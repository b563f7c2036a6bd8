//! The migrations, oldest first. One that has been released is never changed.

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, MigratorTrait, SchemaManager};

pub(crate) struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let migration = |name, sqlite| Box::new(SqlMigration { name, sqlite }) as Box<dyn MigrationTrait>;
        vec![
            migration("m0001_first", include_str!("m0001_first.sqlite.sql")),
            migration("m0002_whole", include_str!("m0002_whole.sqlite.sql")),
        ]
    }
}

/// A migration as SQL text: tables without row ids, partitions and the like have no common spelling.
struct SqlMigration {
    name: &'static str,
    sqlite: &'static str,
}

impl MigrationName for SqlMigration {
    fn name(&self) -> &str {
        self.name
    }
}

#[async_trait]
impl MigrationTrait for SqlMigration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(self.sqlite).await?;
        Ok(())
    }
}
