//! Why a query gave no answer.

use boltlink_core::StoreError;
use sea_orm::DbErr;

/// What the driver reported, or what the store has to answer. The engine crate knows its driver's
/// codes and makes one [`StoreError`] of the two.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The driver's error.
    #[error(transparent)]
    Driver(#[from] DbErr),
    /// An answer of the contract, such as [`StoreError::NotFound`].
    #[error(transparent)]
    Answer(#[from] StoreError),
}

impl Error {
    /// Whether a unique value is taken.
    #[must_use]
    pub fn is_unique_violation(&self) -> bool {
        match self {
            Self::Driver(error) => matches!(error.sql_err(), Some(sea_orm::SqlErr::UniqueConstraintViolation(_))),
            Self::Answer(_) => false,
        }
    }
}

/// A row holds what no release of ours wrote.
#[derive(Debug, thiserror::Error)]
#[error("the column {column} holds a value that cannot be: {value}; restore the database from a backup")]
pub(crate) struct DamagedRow {
    pub(crate) column: &'static str,
    pub(crate) value: String,
}

impl From<DamagedRow> for Error {
    fn from(row: DamagedRow) -> Self {
        Self::Answer(StoreError::backend(row))
    }
}
