//! From the fields of a request to the engine's own types.

use std::sync::Arc;

use boltlink_core::{
    Actor, Domain, Error, Field, Forward, InvalidText, Lifetime, Likeness, LinkEdit, LinkPassword, MaxVisits, NewLink,
    PasswordHash, RedirectKind, Shortener, Slug, SlugLength, SlugRules, Tags, TargetRules, TargetUrl,
    store::{Fingerprint, IdempotencyKey},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    body::{self, Fields, Wrong},
    problem::Problem,
};
use crate::hosts::Hosts;

/// What this server accepts.
pub(crate) struct Rules {
    pub(crate) hosts: Arc<Hosts>,
    pub(crate) targets: TargetRules,
    pub(crate) slugs: SlugRules,
}

impl Rules {
    pub(crate) fn new(shortener: &Shortener, hosts: Arc<Hosts>) -> Self {
        let targets = TargetRules { own_hosts: hosts.own(), ..TargetRules::default() };
        Self { hosts, targets, slugs: shortener.slug_rules() }
    }

    fn target(&self, value: &Value) -> Result<TargetUrl, Wrong> {
        Ok(TargetUrl::parse(body::string(value)?, &self.targets)?)
    }

    fn slug(&self, value: &Value) -> Result<Slug, Wrong> {
        Ok(self.slugs.parse(body::string(value)?)?)
    }

    pub(crate) fn domain(&self, value: &Value) -> Result<Domain, Wrong> {
        let name = body::string(value)?;
        self.hosts.named(name).ok_or_else(|| body::must(not_ours(&self.hosts)))
    }
}

/// What a domain must be.
pub(crate) fn not_ours(hosts: &Hosts) -> String {
    let names: Vec<_> = hosts.authorities().map(Domain::as_str).collect();
    format!("must be a domain of this server: {}", names.join(", "))
}

/// A link as a request describes it.
pub(crate) struct Draft {
    new: NewLink,
    password: Option<LinkPassword>,
    /// What an existing link must be like to be given instead; `None` if a new one is wanted.
    pub(crate) existing: Option<Likeness>,
}

impl Draft {
    /// Where it is to lead, and under which domain.
    pub(crate) const fn place(&self) -> (&Domain, &TargetUrl) {
        (&self.new.domain, &self.new.target)
    }

    /// Whether it is to have a password, which takes work.
    pub(crate) const fn is_protected(&self) -> bool {
        self.password.is_some()
    }

    /// The link to be made. A repetition of the request with the idempotency key `once` gets the very same.
    pub(crate) async fn into_new(
        self,
        shortener: &Shortener,
        actor: &Actor,
        once: Option<&IdempotencyKey>,
    ) -> Result<NewLink, Error> {
        let password = match &self.password {
            Some(password) => Some(shortener.hash_link_password(actor, password, once).await?),
            None => None,
        };
        Ok(NewLink { password, ..self.new })
    }
}

/// A change as a request describes it.
pub(crate) struct EditDraft {
    edit: LinkEdit,
    password: Field<LinkPassword>,
}

impl EditDraft {
    /// Whether it sets a password, which takes work.
    pub(crate) const fn is_protected(&self) -> bool {
        matches!(self.password, Field::Set(_))
    }

    /// The change to be made.
    pub(crate) async fn into_edit(self, shortener: &Shortener, actor: &Actor) -> Result<LinkEdit, Error> {
        let password = match &self.password {
            Field::Keep => Field::Keep,
            Field::Clear => Field::Clear,
            Field::Set(password) => Field::Set(shortener.hash_link_password(actor, password, None).await?),
        };
        Ok(LinkEdit { password, ..self.edit })
    }
}

/// Reads the body of a creation.
pub(crate) fn new_link(mut fields: Fields, rules: &Rules) -> Result<Draft, Problem> {
    let target = fields.required("target", |value| rules.target(value));
    let domain = fields.optional("domain", |value| rules.domain(value));
    let slug = fields.optional("slug", |value| rules.slug(value));
    let slug_length = fields.optional("slug_length", body::number::<u8, SlugLength>);
    let title = fields.words("title", false).apply(None);
    let note = fields.words("note", true).apply(None);
    let tags = fields.optional("tags", tags);
    let redirect = fields.optional("redirect", body::number::<u16, RedirectKind>);
    let starts_at = fields.optional("starts_at", body::text);
    let expires_at = fields.optional("expires_at", body::text);
    let max_visits = fields.optional("max_visits", body::number::<u64, MaxVisits>);
    let password: Option<LinkPassword> = fields.optional("password", body::text);
    let forward_query = fields.optional("forward_query", body::boolean);
    let forward_path = fields.optional("forward_path", body::boolean);
    let crawlable = fields.optional("crawlable", body::boolean);
    let enabled = fields.optional("enabled", body::boolean);
    let find_existing = fields.optional("find_existing", body::boolean);
    if slug.is_some() && slug_length.is_some() {
        fields.refuse("/slug_length", "must be absent together with slug: it is the length of a random one");
    }
    if password.is_some() && find_existing == Some(true) {
        fields
            .refuse("/password", "must be absent together with find_existing: links are not found by their passwords");
    }
    let lifetime = Lifetime::new(starts_at, expires_at).unwrap_or_else(|why| {
        fields.refuse("/expires_at", why.to_string());
        Lifetime::default()
    });
    fields.finish()?;
    // Its absence was refused just now.
    let Some(target) = target else { return Err(Problem::invalid(Vec::new())) };
    let domain = domain.unwrap_or_default();
    let existing = find_existing.unwrap_or(false).then(|| Likeness {
        slug: slug.clone(),
        title: title.clone(),
        note: note.clone(),
        tags: tags.clone(),
        redirect,
        starts_at,
        expires_at,
        max_visits,
        forward_query,
        forward_path,
        crawlable,
        enabled,
        ..Likeness::of(domain.clone(), target.clone())
    });
    let new = NewLink {
        domain,
        slug,
        slug_length,
        title,
        note,
        tags: tags.unwrap_or_default(),
        redirect: redirect.unwrap_or_default(),
        lifetime,
        max_visits,
        forward: Forward { query: forward_query.unwrap_or(false), path: forward_path.unwrap_or(false) },
        crawlable: crawlable.unwrap_or(false),
        enabled: enabled.unwrap_or(true),
        ..NewLink::to(target)
    };
    Ok(Draft { new, password, existing })
}

/// Reads the body of a change.
pub(crate) fn link_edit(mut fields: Fields, rules: &Rules) -> Result<EditDraft, Problem> {
    let password = fields.field("password", body::text);
    let edit = LinkEdit {
        slug: fields.solid("slug", |value| rules.slug(value)),
        target: fields.solid("target", |value| rules.target(value)),
        title: fields.words("title", false),
        note: fields.words("note", true),
        tags: match fields.field("tags", tags) {
            Field::Keep => None,
            Field::Clear => Some(Tags::default()),
            Field::Set(tags) => Some(tags),
        },
        redirect: fields.solid("redirect", body::number::<u16, RedirectKind>),
        starts_at: fields.field("starts_at", body::text),
        expires_at: fields.field("expires_at", body::text),
        max_visits: fields.field("max_visits", body::number::<u64, MaxVisits>),
        password: Field::Keep,
        forward_query: fields.solid("forward_query", body::boolean),
        forward_path: fields.solid("forward_path", body::boolean),
        crawlable: fields.solid("crawlable", body::boolean),
        enabled: fields.solid("enabled", body::boolean),
    };
    fields.finish()?;
    Ok(EditDraft { edit, password })
}

fn tags(value: &Value) -> Result<Tags, Wrong> {
    // Counted as they were sent, repeated ones too: so the document says.
    if value.as_array().is_some_and(|tags| tags.len() > Tags::MAX) {
        return Err(InvalidText::TooMany { max: Tags::MAX }.into());
    }
    Ok(Tags::new(body::array(value, body::text)?)?)
}

/// What tells one creation from another: the same link in other words (order, spaces, defaults spelled
/// out) is the same.
pub(crate) fn fingerprint(new: &NewLink) -> Fingerprint {
    let micros = |time: Option<boltlink_core::Timestamp>| time.map(|time| time.as_micros());
    let canonical = json!([
        new.domain.as_str(),
        new.slug.as_ref().map(Slug::as_str),
        new.target.as_str(),
        new.title.as_ref().map(boltlink_core::Title::as_str),
        new.note.as_ref().map(boltlink_core::Note::as_str),
        new.tags.iter().map(boltlink_core::Tag::as_str).collect::<Vec<_>>(),
        new.redirect.code(),
        micros(new.lifetime.starts_at()),
        micros(new.lifetime.expires_at()),
        new.max_visits.map(MaxVisits::get),
        new.enabled,
        new.slug_length.map(SlugLength::get),
        new.forward.query,
        new.forward.path,
        new.crawlable,
        new.password.as_ref().map(PasswordHash::as_str),
    ]);
    Fingerprint(Sha256::digest(canonical.to_string()).into())
}
