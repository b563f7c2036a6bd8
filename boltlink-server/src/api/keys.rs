//! `/api/v1/keys`: API keys, of which only the answer that makes one tells the secret.

use std::{sync::Arc, time::Duration};

use boltlink_core::{ApiKey, ApiKeyId, Bounds, KeyToken, NewKey, Scopes, Shortener, store::KeyCursor};
use poem_openapi::{
    ApiResponse, Object, OpenApi,
    param::{Header, Path, Query},
    payload::Json,
};
use uuid::Uuid;

use super::{
    Tag,
    answer::{Refusals, Refused, refusals},
    auth::Caller,
    body::{self, Body, Fields, must},
    cursor::Cursors,
    draft::Rules,
    links::default_limit,
    precondition,
    problem::{Code, Problem},
    scalar::{CursorText, IdText, KeyNameText, Moment, NetworkText, Nullable, RequestKey, ScopeName},
};
use crate::hosts::Hosts;

/// How many domains or networks a key may be bound to.
const MOST_BOUNDS: usize = 50;

/// API keys.
pub(crate) struct Keys {
    shortener: Shortener,
    rules: Rules,
    cursors: Cursors,
}

refusals! {
    OnCreate: MalformedBody BodyTimeout KeyMade BodyTooLarge UnsupportedMediaType Invalid;
    OnList: ;
    OnKey: KeyNotFound;
}

/// An API key, without its secret.
#[derive(Debug, Object)]
#[oai(rename = "ApiKey")]
pub(crate) struct KeyView {
    /// Its id, which is the first part of its token.
    id: Uuid,
    /// The account that owns what is made with it.
    owner: Uuid,
    /// What it is called.
    name: String,
    /// What it is good for. `admin` is good for everything.
    scopes: Vec<ScopeName>,
    /// The domains whose links it sees and changes; none: all.
    domains: Vec<String>,
    /// The networks it may be used from; none: all.
    networks: Vec<NetworkText>,
    /// When it was made, UTC.
    created_at: Moment,
    /// When it ends, UTC.
    expires_at: Nullable<Moment>,
    /// When it was revoked, UTC.
    revoked_at: Nullable<Moment>,
    /// About when it was used last, UTC: written down once a minute.
    last_used_at: Nullable<Moment>,
    /// Until when the secret before its rotation works, UTC.
    old_secret_until: Nullable<Moment>,
}

/// A page of API keys.
#[derive(Debug, Object)]
#[oai(rename = "ApiKeyPage")]
pub(crate) struct KeyPage {
    /// The keys, oldest first.
    items: Vec<KeyView>,
    /// Pass it as `cursor` to get the next page; null on the last one.
    next_cursor: Nullable<String>,
}

/// An API key and its token, which is told this once.
#[derive(Debug, Object)]
#[oai(rename = "ApiKeyWithToken")]
pub(crate) struct KeyWithToken {
    /// The key.
    key: KeyView,
    /// What its holder sends. It is stored nowhere.
    token: String,
}

/// An API key to be made. It can be good for no more than the one that makes it.
#[derive(Debug, Object)]
#[oai(rename = "NewApiKey")]
#[allow(dead_code)] // It is documented; what is read of it, `Fields` reads.
pub(crate) struct NewKeyBody {
    /// What it is called in lists.
    name: KeyNameText,
    /// What it is good for: one scope at least.
    #[oai(validator(min_items = 1, max_items = 6))]
    scopes: Vec<ScopeName>,
    /// The domains of this server whose links it sees and changes; all if absent.
    #[oai(validator(min_items = 1, max_items = 50))]
    domains: Option<Nullable<Vec<String>>>,
    /// The networks it may be used from; all if absent.
    #[oai(validator(min_items = 1, max_items = 50))]
    networks: Option<Nullable<Vec<NetworkText>>>,
    /// When it ends; never if absent.
    expires_at: Option<Nullable<Moment>>,
    /// Whether it gets an account of its own, so that it sees only what is made with it; for admins. If absent or false it
    /// has the account of the key that makes it.
    new_account: Option<Nullable<bool>>,
}

#[derive(ApiResponse)]
enum Made {
    /// The key is made.
    #[oai(status = 201)]
    Key(
        Json<KeyWithToken>,
        /// Where the key is found in this API.
        #[oai(header = "Location")]
        String,
    ),
}

#[derive(ApiResponse)]
enum Listed {
    /// A page of keys.
    #[oai(status = 200)]
    Page(Json<KeyPage>),
}

#[derive(ApiResponse)]
enum Shown {
    /// The key.
    #[oai(status = 200)]
    Key(Json<KeyView>),
}

#[derive(ApiResponse)]
enum Rotated {
    /// The key has a new secret.
    #[oai(status = 200)]
    Key(Json<KeyWithToken>),
}

#[derive(ApiResponse)]
enum Revoked {
    /// The key opens nothing any more.
    #[oai(status = 204)]
    Gone,
}

impl Keys {
    pub(crate) fn new(shortener: Shortener, hosts: Arc<Hosts>) -> Self {
        let cursors = Cursors::new(&shortener);
        Self { rules: Rules::new(&shortener, hosts), cursors, shortener }
    }

    fn view(&self, key: ApiKey) -> KeyView {
        let Bounds { domains, networks } = key.bounds;
        KeyView {
            id: *key.id.as_uuid(),
            owner: *key.owner.as_uuid(),
            name: key.name.as_str().to_owned(),
            scopes: key.scopes.iter().map(|scope| ScopeName(scope.to_string())).collect(),
            domains: domains.iter().map(|domain| self.rules.hosts.authority(domain).to_owned()).collect(),
            networks: networks.iter().map(|network| NetworkText(network.to_string())).collect(),
            created_at: Moment(key.created_at),
            expires_at: Nullable(key.expires_at.map(Moment)),
            revoked_at: Nullable(key.revoked_at.map(Moment)),
            last_used_at: Nullable(key.last_used_at.map(Moment)),
            old_secret_until: Nullable(key.previous.map(|(_, until)| Moment(until))),
        }
    }

    fn told(&self, (key, token): (ApiKey, KeyToken)) -> Json<KeyWithToken> {
        Json(KeyWithToken { key: self.view(key), token: token.reveal() })
    }

    /// Reads the body of a creation.
    fn read_new(&self, mut fields: Fields) -> Result<NewKey, Problem> {
        let name = fields.required("name", body::text);
        let scopes = fields.required("scopes", |value| {
            let scopes = body::array(value, body::text)?;
            Scopes::new(scopes).ok_or_else(|| must("must name one scope at least"))
        });
        let domains = fields.optional("domains", |value| few(body::array(value, |name| self.rules.domain(name))?));
        let network = |value: &_| Ok(Bounds::network(body::string(value)?)?);
        let networks = fields.optional("networks", |value| few(body::array(value, network)?));
        let expires_at = fields.optional("expires_at", body::text);
        let new_account = fields.optional("new_account", body::boolean).unwrap_or(false);
        let (name, scopes) = fields.both(name, scopes)?;
        let bounds = Bounds { domains: domains.unwrap_or_default(), networks: networks.unwrap_or_default() };
        let owner = new_account.then(|| self.shortener.new_account());
        Ok(NewKey { bounds, owner, expires_at, ..NewKey::new(name, scopes) })
    }
}

/// An empty list would mean all, which nobody who sends one has in mind.
fn few<T>(items: Vec<T>) -> Result<Vec<T>, body::Wrong> {
    match items.len() {
        1..=MOST_BOUNDS => Ok(items),
        0 => Err(must("must not be empty; leave it out to have no bound")),
        _ => Err(must(format!("must have at most {MOST_BOUNDS} elements"))),
    }
}

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Keys")]
impl Keys {
    /// Make an API key
    ///
    /// Its token is in the answer and nowhere else. With an `Idempotency-Key` a repetition makes no second one: it is
    /// refused with 409, as the token is not kept.
    #[oai(path = "/keys", method = "post", operation_id = "create_key")]
    async fn create(
        &self,
        caller: Caller,
        /// 1 to 255 visible ASCII characters that no other request of yours for a key has.
        #[oai(name = "Idempotency-Key")]
        once: Header<Option<RequestKey>>,
        body: Body<NewKeyBody>,
    ) -> Result<Made, Refused<OnCreate>> {
        let once = precondition::idempotency_key(once.0)?;
        let new = self.read_new(body.0)?;
        let made = match once {
            None => self.shortener.create_key(&caller.0, new).await?,
            Some(once) => self.shortener.create_key_once(&caller.0, new, &once).await?,
        };
        let location = format!("/api/v1/keys/{}", made.0.id);
        Ok(Made::Key(self.told(made), location))
    }

    /// List API keys
    ///
    /// Those of the account, or all for an admin; oldest first, revoked and expired ones too.
    #[oai(path = "/keys", method = "get", operation_id = "list_keys")]
    async fn list(
        &self,
        caller: Caller,
        /// How many at most.
        #[oai(default = "default_limit", validator(minimum(value = "1"), maximum(value = "500")))]
        limit: Query<u32>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<CursorText>>,
    ) -> Result<Listed, Refused<OnList>> {
        let after = cursor.0.map(|cursor| self.cursors.open("keys", &cursor.0)).transpose()?;
        let after = after.map(|(at, id)| KeyCursor { at, id: ApiKeyId::from_uuid(id) });
        let page = self.shortener.list_keys(&caller.0, after, limit.0).await?;
        let next = page.next.map(|next| self.cursors.seal("keys", next.at, next.id.as_uuid()));
        let items = page.keys.into_iter().map(|key| self.view(key)).collect();
        Ok(Listed::Page(Json(KeyPage { items, next_cursor: Nullable(next) })))
    }

    /// Read an API key
    #[oai(path = "/keys/:id", method = "get", operation_id = "read_key")]
    async fn read(
        &self,
        caller: Caller,
        /// The key's `id`.
        id: Path<IdText>,
    ) -> Result<Shown, Refused<OnKey>> {
        Ok(Shown::Key(Json(self.view(self.shortener.find_key(&caller.0, key_id(&id)?).await?))))
    }

    /// Rotate an API key
    ///
    /// Gives it a new secret, which is in the answer and nowhere else. All else about the key stays as it is.
    #[oai(path = "/keys/:id/rotate", method = "post", operation_id = "rotate_key")]
    async fn rotate(
        &self,
        caller: Caller,
        /// The key's `id`.
        id: Path<IdText>,
        /// For how many seconds the secret before goes on working, so that it can be replaced wherever it is used; up to
        /// 30 days.
        #[oai(default, validator(minimum(value = "0"), maximum(value = "2592000")))]
        grace: Query<u32>,
    ) -> Result<Rotated, Refused<OnKey>> {
        let grace = Duration::from_secs(grace.0.into());
        Ok(Rotated::Key(self.told(self.shortener.rotate_key(&caller.0, key_id(&id)?, grace).await?)))
    }

    /// Revoke an API key
    ///
    /// For good: within a second it opens nothing on any node. It stays in lists.
    #[oai(path = "/keys/:id", method = "delete", operation_id = "revoke_key")]
    async fn revoke(
        &self,
        caller: Caller,
        /// The key's `id`.
        id: Path<IdText>,
    ) -> Result<Revoked, Refused<OnKey>> {
        self.shortener.revoke_key(&caller.0, key_id(&id)?).await?;
        Ok(Revoked::Gone)
    }
}

/// What is no id names no key.
fn key_id(id: &IdText) -> Result<ApiKeyId, Problem> {
    id.0.parse().map_err(|_| Problem::no_such_key())
}
