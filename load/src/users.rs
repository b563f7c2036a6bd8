//! Who loads the server, and what they make of its answers.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use goose::{goose::GooseResponse, prelude::*};
use reqwest::{Client, header::AUTHORIZATION, redirect::Policy};
use serde_json::{Value, json};

/// Wrong answers that are kept to be shown.
const SHOWN: usize = 10;
/// How long somebody waits who got no answer at all.
const PAUSE: Duration = Duration::from_millis(100);
const LINKS: &str = "/api/v1/links";

/// A link that is visited, and how often it was.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) id: String,
    pub(crate) slug: String,
    pub(crate) target: String,
    /// Visits that may have reached the server.
    pub(crate) sent: AtomicU64,
    /// Visits that were sent on.
    pub(crate) answered: AtomicU64,
}

/// What all users know of, and note.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) key: String,
    pub(crate) links: Vec<Link>,
    /// Answers that were not what they must be.
    wrong: Mutex<(u64, Vec<String>)>,
    /// Requests that got no answer.
    unanswered: AtomicU64,
    /// Whether a 503 is no wrong answer, but a refusal; and how many there were.
    may_refuse: bool,
    refused: AtomicU64,
}

impl World {
    /// `may_refuse` says whether it may answer 503: one that waits for its disk does, if that takes too long.
    pub(crate) fn new(key: &str, links: Vec<Link>, may_refuse: bool) -> Self {
        let (wrong, unanswered, refused) = Default::default();
        Self { key: key.to_owned(), links, wrong, unanswered, may_refuse, refused }
    }

    /// How many answers were wrong, and the first of them.
    pub(crate) fn wrong(&self) -> (u64, Vec<String>) {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn unanswered(&self) -> u64 {
        self.unanswered.load(Relaxed)
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// One of the links: the first ones far more often than the others.
    fn any(&self) -> &Link {
        let place = fastrand::f64().powi(4) * self.links.len() as f64;
        &self.links[(place as usize).min(self.links.len() - 1)]
    }

    /// The answer, if there is one with this status; all else is noted.
    async fn expect(&self, answer: GooseResponse, status: u16) -> Option<reqwest::Response> {
        match answer.response {
            Ok(response) if response.status() == status => Some(response),
            Ok(response) if self.may_refuse && response.status() == 503 => {
                self.refused.fetch_add(1, Relaxed);
                None
            }
            Ok(response) => {
                let (asked, status) = (answer.request.name, response.status());
                let body = response.text().await.unwrap_or_default();
                self.note(format!("{asked}: {status} {body}"));
                None
            }
            Err(_) => {
                self.unanswered.fetch_add(1, Relaxed);
                tokio::time::sleep(PAUSE).await;
                None
            }
        }
    }

    fn note(&self, what: String) {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        wrong.0 += 1;
        if wrong.1.len() < SHOWN {
            wrong.1.push(what);
        }
    }

    /// Follows a link.
    async fn visit(&self, user: &mut GooseUser) -> TransactionResult {
        let link = self.any();
        let path = format!("/{}", link.slug);
        let request = GooseRequest::builder().path(&*path).name("/{slug}").expect_status_code(302);
        link.sent.fetch_add(1, Relaxed);
        let answer = user.request(request.build()).await?;
        if let Some(response) = self.expect(answer, 302).await {
            link.answered.fetch_add(1, Relaxed);
            let location = response.headers().get("location").and_then(|value| value.to_str().ok());
            if location != Some(&link.target) {
                self.note(format!("/{} leads to {location:?}", link.slug));
            }
        }
        Ok(())
    }

    /// Makes a link, changes it, looks at it, and deletes it.
    async fn edit(&self, user: &mut GooseUser) -> TransactionResult {
        let made = json!({ "target": "https://example.com/new", "tags": ["load"] });
        let Some(made) = self.call(user, GooseMethod::Post, (LINKS, LINKS), Some(&made), 201).await? else {
            return Ok(());
        };
        let path = format!("{LINKS}/{}", made["id"].as_str().unwrap_or_default());
        let named = (&*path, "/api/v1/links/{id}");
        let change = json!({ "target": "https://example.com/newer" });
        let changed = self.call(user, GooseMethod::Patch, named, Some(&change), 200).await?.is_some();
        if let Some(read) = self.call(user, GooseMethod::Get, named, None, 200).await?
            && changed
            && read["target"] != "https://example.com/newer"
        {
            self.note(format!("a change does not show: {read}"));
        }
        self.call(user, GooseMethod::Delete, named, None, 204).await?;
        Ok(())
    }

    /// Looks at lists and counts.
    async fn look(&self, user: &mut GooseUser) -> TransactionResult {
        let id = &self.any().id;
        for (path, name) in [
            (format!("{LINKS}?limit=20"), LINKS),
            (format!("{LINKS}?text=example&limit=20"), "/api/v1/links?text"),
            (format!("{LINKS}/{id}/stats"), "/api/v1/links/{id}/stats"),
            (format!("{LINKS}/{id}/series?interval=day"), "/api/v1/links/{id}/series"),
            ("/api/v1/analytics/global".to_owned(), "/api/v1/analytics/global"),
        ] {
            self.call(user, GooseMethod::Get, (&path, name), None, 200).await?;
        }
        Ok(())
    }

    /// Calls the API; `None` if the answer was another than expected, or none came.
    async fn call(
        &self,
        user: &mut GooseUser,
        method: GooseMethod,
        (path, name): (&str, &str),
        body: Option<&Value>,
        status: u16,
    ) -> std::result::Result<Option<Value>, Box<TransactionError>> {
        let mut request =
            user.get_request_builder(&method, path)?.header(AUTHORIZATION, format!("Bearer {}", self.key));
        if let Some(body) = body {
            request = request.json(body);
        }
        // Goose puts the method before it.
        let request = GooseRequest::builder().method(method).path(path).name(name).set_request_builder(request);
        let answer = user.request(request.expect_status_code(status).build()).await?;
        let Some(response) = self.expect(answer, status).await else { return Ok(None) };
        Ok(Some(response.json().await.unwrap_or_default()))
    }
}

/// Nine of ten requests are visits.
pub(crate) fn scenario(world: &Arc<World>) -> std::result::Result<Scenario, GooseError> {
    let task = |what: What| {
        let world = world.clone();
        let does: TransactionFunction = Arc::new(move |user| {
            let world = world.clone();
            Box::pin(async move {
                match what {
                    What::Visit => world.visit(user).await,
                    What::Edit => world.edit(user).await,
                    What::Look => world.look(user).await,
                }
            })
        });
        Transaction::new(does)
    };
    let begin: TransactionFunction = Arc::new(|user| {
        Box::pin(async move {
            // Redirects are what is looked at. A proxy in the environment has no business here.
            let client = Client::builder().redirect(Policy::none()).no_proxy().timeout(Duration::from_secs(30));
            user.set_client_builder(client).await?;
            Ok(())
        })
    });
    Ok(scenario!("Everybody")
        .register_transaction(Transaction::new(begin).set_on_start().set_name("begin"))
        .register_transaction(task(What::Visit).set_weight(90)?.set_name("visit"))
        .register_transaction(task(What::Edit).set_weight(1)?.set_name("edit"))
        .register_transaction(task(What::Look).set_weight(1)?.set_name("look")))
}

#[derive(Debug, Clone, Copy)]
enum What {
    Visit,
    Edit,
    Look,
}
