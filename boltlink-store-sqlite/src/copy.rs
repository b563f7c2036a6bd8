//! The file as an end of a copy: open for nobody else.

use boltlink_store_sql::{
    Error,
    copy::{Source, Target, identify},
};
use sea_orm::TransactionTrait;

use crate::{
    config::SqliteConfig,
    error::{OpenError, answer},
    open,
};

/// Opens the file to be copied. Other processes cannot open it meanwhile.
pub(crate) async fn source(config: &SqliteConfig) -> Result<Source, OpenError> {
    let (db, state) = open::open_alone(config).await?;
    let path = || config.path.clone();
    let opened = async {
        if state.half_copied {
            return Err(OpenError::HalfCopied { path: path() });
        }
        let fail = |error| OpenError::from_sql(path(), error);
        identify(&db).await.map_err(fail)?;
        db.begin().await.map_err(|error| fail(Error::from(error)))
    };
    match opened.await {
        Ok(within) => Ok(Source::new(db, within, answer)),
        Err(error) => {
            // The error that led here is the one to tell.
            let _ = db.close_by_ref().await;
            Err(error)
        }
    }
}

/// Opens the file to be copied to, and makes it if it does not exist.
pub(crate) async fn target(config: &SqliteConfig) -> Result<Target, OpenError> {
    let (db, _) = open::open_alone(config).await?;
    Ok(Target::new(db, "", answer))
}
