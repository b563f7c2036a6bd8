//! Postgres.

use boltlink_testkit::{Database, PostgresServer};
use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement,
    sqlx::{Connection as _, PgConnection},
};

#[tokio::test]
async fn a_database_can_be_used_and_is_gone_afterwards() {
    let database = Database::new().await.unwrap();
    let url = database.url().to_owned();
    let connection = connect(&url).await.unwrap();
    connection.execute_unprepared("CREATE TABLE link (id int)").await.unwrap();
    // With a connection that is still open.
    drop(database);
    assert!(connection.execute_unprepared("SELECT 1").await.is_err());
    let error = connect(&url).await.err().unwrap().to_string();
    assert!(error.contains("does not exist"), "{error}");
}

#[tokio::test]
async fn two_databases_are_apart() {
    let (one, other) = (Database::new().await.unwrap(), Database::new().await.unwrap());
    let (one, other) = (connect(one.url()).await.unwrap(), connect(other.url()).await.unwrap());
    one.execute_unprepared("CREATE TABLE link (id int)").await.unwrap();
    assert!(other.execute_unprepared("SELECT * FROM link").await.is_err());
    other.execute_unprepared("CREATE TABLE link (id int)").await.unwrap();
}

#[tokio::test]
async fn a_killed_server_has_what_was_committed() {
    let mut server = PostgresServer::start().await.unwrap();
    let url = server.url().to_owned();
    let connection = connect(&url).await.unwrap();
    connection.execute_unprepared("CREATE TABLE link (id int)").await.unwrap();
    connection.execute_unprepared("INSERT INTO link SELECT generate_series(1, 1000)").await.unwrap();
    for _ in 0..3 {
        server.kill();
        assert!(PgConnection::connect(&url).await.is_err());
        server.start_again().await.unwrap();
        assert_eq!(server.url(), url);
        assert_eq!(count(&connect(&url).await.unwrap()).await, 1000);
    }
}

#[tokio::test]
async fn a_stopped_server_starts_again() {
    let mut server = PostgresServer::start().await.unwrap();
    let connection = connect(server.url()).await.unwrap();
    connection.execute_unprepared("CREATE TABLE link (id int)").await.unwrap();
    server.stop().await.unwrap();
    assert!(PgConnection::connect(server.url()).await.is_err());
    assert!(server.stop().await.is_err());
    server.start_again().await.unwrap();
    assert_eq!(count(&connect(server.url()).await.unwrap()).await, 0);
}

async fn connect(url: &str) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1);
    sea_orm::Database::connect(options).await
}

async fn count(connection: &DatabaseConnection) -> i64 {
    let statement = Statement::from_string(DbBackend::Postgres, "SELECT count(*) FROM link");
    connection.query_one_raw(statement).await.unwrap().unwrap().try_get_by_index(0).unwrap()
}
