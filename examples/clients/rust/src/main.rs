//! Makes a link, reads, lists, changes and deletes it:
//!
//! ```sh
//! BOLTLINK_URL=http://127.0.0.1:5000 BOLTLINK_KEY=blt_… cargo run -p boltlink-client
//! ```

use std::{env, error::Error};

use boltlink_client::connect;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let client = connect(&variable("BOLTLINK_URL")?, &variable("BOLTLINK_KEY")?)?;

    let made = client.create_link().body_map(|link| link.target("https://www.rust-lang.org/")).send().await?;
    println!("made {}, which leads to {}", made.short_url, made.target);

    let read = client.read_link().id(made.id).send().await?;
    println!("read it: followed {} times, version {}", read.clicks, read.version);

    let page = client.list_links().limit(10).send().await?;
    println!("listed {} links, the newest first", page.items.len());

    let edited = client.edit_link().id(made.id).body_map(|link| link.enabled(false)).send().await?;
    println!("switched it off: version {}", edited.version);

    client.delete_link().id(made.id).send().await?;
    println!("deleted it");
    Ok(())
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("set {name}: BOLTLINK_URL is where the server is, BOLTLINK_KEY an API key"))
}
