//! The whole engine in a program of one's own, in memory: `cargo run --example embed`.

use boltlink::{Actor, Domain, NewLink, Outcome, Shortener, TargetRules, TargetUrl, Visit};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let shortener = Shortener::builder().build().await?;

    let target = TargetUrl::parse("https://doc.rust-lang.org/book/", &TargetRules::default())?;
    let made = shortener.create(&Actor::OPERATOR, NewLink::to(target)).await?;
    println!("/{} leads to {}", made.link.slug, made.link.target);

    let domain = Domain::default_domain();
    for _ in 0..3 {
        match shortener.visit(&Visit::new(&domain, made.link.slug.as_str())).await? {
            Outcome::Redirect(redirect) => println!("{} {:?}", redirect.kind.code(), redirect.location),
            other => println!("no redirect: {other:?}"),
        }
    }

    shortener.shutdown().await;
    let clicks = shortener.find(&Actor::OPERATOR, made.link.id).await?.clicks;
    println!("{clicks} clicks");
    assert_eq!(clicks, 3);
    Ok(())
}
