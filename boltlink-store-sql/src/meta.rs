//! Single values that belong to the whole database.

use boltlink_core::{StoreError, hex};
use sea_orm::ConnectionTrait;

use crate::{Error, row::Columns};

const SECRET_KEY: &str = "server_secret";

/// The value of `key`.
pub(crate) async fn read(db: &impl ConnectionTrait, key: &str) -> Result<Option<String>, Error> {
    let row = crate::one(db, "SELECT value FROM meta WHERE key = $1", [key.into()]).await?;
    row.map(|row| Columns(&row).at(0)).transpose()
}

/// The values of `keys`, in one statement.
pub(crate) async fn read_all<const N: usize>(
    db: &impl ConnectionTrait,
    keys: [&str; N],
) -> Result<[Option<String>; N], Error> {
    let places: Vec<_> = (1..=N).map(|place| format!("${place}")).collect();
    let sql = format!("SELECT key, value FROM meta WHERE key IN ({})", places.join(", "));
    let mut values = [const { None }; N];
    for row in crate::all(db, &sql, keys.map(Into::into)).await? {
        let (key, value): (String, String) = (Columns(&row).at(0)?, Columns(&row).at(1)?);
        if let Some(place) = keys.iter().position(|asked| *asked == key) {
            values[place] = Some(value);
        }
    }
    Ok(values)
}

/// Gives `key` the value.
pub(crate) async fn write(db: &impl ConnectionTrait, key: &str, value: &str) -> Result<(), Error> {
    let sql = "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    crate::execute(db, sql, [key.into(), value.into()]).await?;
    Ok(())
}

/// The server's secret, if there is one.
///
/// # Errors
/// The driver's, or a secret that nobody of ours wrote.
pub async fn server_secret(db: &impl ConnectionTrait) -> Result<Option<[u8; 32]>, Error> {
    let Some(text) = read(db, SECRET_KEY).await? else { return Ok(None) };
    // The text is not told: it may be most of a secret.
    let damaged = || StoreError::backend("the server secret in the table meta is damaged");
    Ok(Some(hex::read(&text).ok_or_else(damaged)?))
}

/// Keeps `candidate` as the server's secret if there is none, and returns what is kept.
///
/// # Errors
/// As [`server_secret`].
pub async fn keep_server_secret(db: &impl ConnectionTrait, candidate: [u8; 32]) -> Result<[u8; 32], Error> {
    let mut text = String::with_capacity(64);
    hex::write(&mut text, &candidate);
    let sql = "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING";
    crate::execute(db, sql, [SECRET_KEY.into(), text.into()]).await?;
    Ok(server_secret(db).await?.unwrap_or(candidate))
}
