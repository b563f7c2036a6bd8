//! Asking, one question after the other, and looking at every answer.

use std::time::{Duration, Instant};

use boltlink_testkit::{Answer, Connection, Server};
use serde_json::Value;

use super::{
    fill::Filled,
    make::{self, Maker},
    measured::Times,
    questions::{self, Ask, Cursors, Who},
    store::Kind,
};
use crate::Result;

/// How many pages of 500 a list is read for its cursors.
const PAGES: u64 = 200;
/// How many pages of single clicks, and of how many links.
const CLICK_PAGES: usize = 20;
const CLICK_LINKS: usize = 5;
/// Of how many answers nothing is reported: whoever asks first pays for what is then cached, as after every start.
const FIRST: u64 = 3;

/// Asks everything so often.
pub(crate) async fn ask(
    server: &Server,
    kind: Kind,
    filled: &Filled,
    maker: &Maker,
    rounds: u64,
) -> Result<Vec<(String, Times)>> {
    let mut connection = Connection::open(server.address()).await?;
    let bearer = format!("Bearer {}", server.key());
    let cursors = Cursors {
        links: walk(&mut connection, &bearer, filled.links).await?,
        clicks: walk_clicks(&mut connection, &bearer, filled).await?,
    };
    let members = format!("Bearer {}", maker.member);
    let mut asked = Vec::new();
    for question in questions::questions(filled, cursors) {
        // A server closes connections that rest for long.
        let mut connection = Connection::open(server.address()).await?;
        let mut times = Vec::new();
        for round in 0..rounds + FIRST {
            let request = (question.ask)(round);
            let begin = Instant::now();
            match request {
                Ask::Get(path) => {
                    let bearer = if question.who == Who::Member { &members } else { &bearer };
                    let visits = question.who == Who::Visitor;
                    let headers = [("Authorization", bearer.as_str())];
                    let answer = connection.get(&path, if visits { &[] } else { &headers }).await?;
                    check(&path, &answer)?;
                }
                Ask::Post(path, body) => {
                    let status = if body["find_existing"].is_null() { 201 } else { 200 };
                    make::request((server.address(), &mut connection), server.key(), path, &body, status).await?;
                }
            }
            if round >= FIRST {
                times.push(begin.elapsed());
            }
        }
        let times = Times::of(times);
        eprintln!("{}: {:<48} {:>9.2?} {:>9.2?}", kind.name(), question.name, times.p50, times.p95);
        asked.push((question.name.to_owned(), times));
    }
    Ok(asked)
}

/// The cursors of the list of all links, from the middle of what was read on.
async fn walk(connection: &mut Connection, bearer: &str, links: u64) -> Result<Vec<String>> {
    let (mut cursors, mut path) = (Vec::new(), "/api/v1/links?limit=500".to_owned());
    let (begin, pages) = (Instant::now(), PAGES.min(links / 500));
    for _ in 0..pages {
        let Some(next) = next(connection, bearer, &path).await? else { break };
        path = format!("/api/v1/links?limit=500&cursor={next}");
        cursors.push(next);
    }
    eprintln!(
        "{} pages of 500 links read in {:.1?}",
        cursors.len(),
        Duration::from_millis(begin.elapsed().as_millis() as u64)
    );
    Ok(cursors.split_off(cursors.len() / 2))
}

/// The cursors of the single clicks of the most clicked links.
async fn walk_clicks(connection: &mut Connection, bearer: &str, filled: &Filled) -> Result<Vec<(String, String)>> {
    let mut cursors = Vec::new();
    for id in filled.hot.iter().take(CLICK_LINKS) {
        let mut path = format!("/api/v1/links/{id}/clicks?limit=500");
        for _ in 0..CLICK_PAGES {
            let Some(next) = next(connection, bearer, &path).await? else { break };
            path = format!("/api/v1/links/{id}/clicks?limit=500&cursor={next}");
            cursors.push((id.clone(), next));
        }
    }
    if cursors.is_empty() {
        Err("no link has more than 500 single clicks: ask for more --clicks".into())
    } else {
        Ok(cursors)
    }
}

async fn next(connection: &mut Connection, bearer: &str, path: &str) -> Result<Option<String>> {
    let answer = connection.get(path, &[("Authorization", bearer)]).await?;
    check(path, &answer)?;
    let page: Value = serde_json::from_slice(&answer.body)?;
    Ok(page["next_cursor"].as_str().map(str::to_owned))
}

/// Whether a question was answered, or a visitor redirected.
fn check(path: &str, answer: &Answer) -> Result {
    match answer.status {
        200 | 302 => Ok(()),
        status => Err(format!("{path}: {status} {}", String::from_utf8_lossy(&answer.body)).into()),
    }
}
