//! Databases to copy between, and what is in them.

use std::path::PathBuf;

use boltlink_store_postgres::PostgresStore;
use boltlink_store_sql::copy::{Copied, CopyError, Source, Step, Target, copy};
use boltlink_store_sqlite::{SqliteConfig, SqliteStore};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, Statement};
use tempfile::TempDir;

use crate::common::Place;

/// A database of either kind.
pub(crate) enum End {
    Sqlite(TempDir),
    Postgres(Box<Place>),
}

impl End {
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    pub(crate) async fn postgres() -> Self {
        Self::Postgres(Box::new(Place::new().await))
    }

    pub(crate) fn path(&self) -> PathBuf {
        match self {
            Self::Sqlite(dir) => dir.path().join("boltlink.db"),
            Self::Postgres(_) => panic!("no file"),
        }
    }

    pub(crate) async fn migrate(&self) {
        match self {
            Self::Sqlite(_) => drop(SqliteStore::migrate(&SqliteConfig::new(self.path())).await.unwrap()),
            Self::Postgres(place) => drop(PostgresStore::migrate(&place.config()).await.unwrap()),
        }
    }

    /// A look from outside, or a hand from there.
    pub(crate) async fn connect(&self) -> DatabaseConnection {
        match self {
            Self::Sqlite(_) => Database::connect(format!("sqlite://{}", self.path().display())).await.unwrap(),
            Self::Postgres(place) => place.connect().await,
        }
    }

    pub(crate) async fn run(&self, sql: &str) {
        self.try_run(sql).await.unwrap();
    }

    pub(crate) async fn try_run(&self, sql: &str) -> Result<(), DbErr> {
        let db = self.connect().await;
        let done = db.execute_unprepared(sql).await;
        db.close().await.unwrap();
        done.map(|_| ())
    }

    /// The first column of all rows, as text.
    pub(crate) async fn texts(&self, sql: &str) -> Vec<String> {
        let db = self.connect().await;
        let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
        let texts = rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
        db.close().await.unwrap();
        texts
    }

    /// Every table that is no part of another one.
    pub(crate) async fn tables(&self) -> Vec<String> {
        self.texts(match self {
            Self::Sqlite(_) => {
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
                 AND name NOT LIKE 'link\\_text\\_%' ESCAPE '\\' ORDER BY name"
            }
            Self::Postgres(_) => {
                "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') \
                 AND NOT relispartition ORDER BY relname"
            }
        })
        .await
    }

    /// All of a table, each row as a text.
    pub(crate) async fn rows(&self, table: &str) -> Vec<String> {
        let db = self.connect().await;
        let (kind, columns) = match db.get_database_backend() {
            DbBackend::Sqlite => {
                ("SELECT quote(", format!("SELECT name FROM pragma_table_info('{table}') ORDER BY name"))
            }
            _ => (
                "SELECT quote_nullable(",
                format!(
                    "SELECT attname::text FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0 ORDER BY 1"
                ),
            ),
        };
        db.close().await.unwrap();
        let columns: Vec<_> = self.texts(&columns).await.into_iter().filter(|name| name != "place").collect();
        let own = if table == "meta" {
            " WHERE key NOT IN ('schema_version', 'oldest_compatible', 'database_id')"
        } else {
            ""
        };
        self.texts(&format!(
            "{kind}{}) FROM {table}{own} ORDER BY 1",
            columns.join(&format!(") || ' ' || {}", &kind[7..]))
        ))
        .await
    }

    pub(crate) async fn source(&self) -> Result<Source, String> {
        match self {
            Self::Sqlite(_) => {
                SqliteStore::copy_source(&SqliteConfig::new(self.path())).await.map_err(|error| error.to_string())
            }
            Self::Postgres(place) => {
                PostgresStore::copy_source(&place.config()).await.map_err(|error| error.to_string())
            }
        }
    }

    pub(crate) async fn target(&self) -> Target {
        match self {
            Self::Sqlite(_) => SqliteStore::copy_target(&SqliteConfig::new(self.path())).await.unwrap(),
            Self::Postgres(place) => PostgresStore::copy_target(&place.config()).await.unwrap(),
        }
    }

    pub(crate) async fn copy_to(&self, other: &Self) -> Result<Copied, CopyError> {
        self.copy_some(other, usize::MAX).await.unwrap()
    }

    /// Copies until `seen` was told `steps` times; `None` if that was not the end.
    pub(crate) async fn copy_some(&self, other: &Self, mut steps: usize) -> Option<Result<Copied, CopyError>> {
        let counted = move |_: &Step| {
            steps = steps.saturating_sub(1);
            steps == 0
        };
        self.copy_until(other, counted).await
    }

    /// Copies until `enough` holds for a step; `None` if that was not the end.
    pub(crate) async fn copy_until(
        &self,
        other: &Self,
        mut enough: impl FnMut(&Step) -> bool,
    ) -> Option<Result<Copied, CopyError>> {
        let (source, target) = (self.source().await.unwrap(), other.target().await);
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let enough = async {
            while let Some(step) = told.recv().await {
                if enough(&step) {
                    return;
                }
            }
        };
        let seen = |step: Step| {
            assert!(step.rows <= step.of, "{step:?}");
            let _ = tell.send(step);
        };
        let done = tokio::select! {
            biased;
            () = enough => None,
            done = copy(&source, &target, seen) => Some(done),
        };
        source.close().await;
        target.close().await.unwrap();
        done
    }
}
