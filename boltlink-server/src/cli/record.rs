//! A link as a record with the API's names: what export writes and import reads.

use std::fmt::Display;

use boltlink_core::{
    AccountId, Forward, InvalidRedirect, InvalidText, Lifetime, LinkId, MaxVisits, NewLink, PasswordHash, Past,
    RedirectKind, StoredLink, Tags, TargetUrl,
};
use serde_json::{Map, Value, json};

use super::engine::Site;

/// The fields of a link by name.
pub(super) type Fields = Map<String, Value>;

/// What is wrong with one field of a record; an empty field name stands for the record as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) field: String,
    pub(super) reason: String,
}

impl Wrong {
    pub(super) fn new(field: &str, reason: impl ToString) -> Self {
        Self { field: field.to_owned(), reason: reason.to_string() }
    }
}

/// All fields, in the order of a table.
pub(super) const FIELDS: [&str; 22] = [
    "id",
    "domain",
    "slug",
    "short_url",
    "target",
    "title",
    "note",
    "tags",
    "redirect",
    "starts_at",
    "expires_at",
    "max_visits",
    "password_hash",
    "enabled",
    "forward_query",
    "forward_path",
    "crawlable",
    "clicks",
    "owner",
    "created_at",
    "updated_at",
    "version",
];

/// Writes a link. What has its usual value is left out, the default domain too: its name is
/// configuration, and may be another where the link is imported.
pub(super) fn write(stored: &StoredLink, site: &Site) -> Fields {
    let link = &stored.link;
    let mut record = Fields::new();
    let mut put = |name: &str, value: Value| record.insert(name.to_owned(), value);
    put("id", json!(link.id.to_string()));
    if !link.domain.is_default() {
        put("domain", json!(link.domain.as_str()));
    }
    put("slug", json!(link.slug.as_str()));
    put("short_url", json!(site.hosts.short_url(&link.domain, &link.slug)));
    put("target", json!(link.target.as_str()));
    put_set(&mut put, "title", link.title.as_ref());
    put_set(&mut put, "note", link.note.as_ref());
    if !link.tags.is_empty() {
        put("tags", link.tags.iter().map(|tag| json!(tag.as_str())).collect());
    }
    put("redirect", json!(link.redirect.code()));
    put_set(&mut put, "starts_at", link.lifetime.starts_at());
    put_set(&mut put, "expires_at", link.lifetime.expires_at());
    if let Some(max) = link.max_visits {
        put("max_visits", json!(max.get()));
    }
    put_set(&mut put, "password_hash", link.password.as_ref().map(PasswordHash::as_str));
    put("enabled", json!(link.enabled));
    put_true(&mut put, "forward_query", link.forward.query);
    put_true(&mut put, "forward_path", link.forward.path);
    put_true(&mut put, "crawlable", link.crawlable);
    put("clicks", json!(stored.clicks));
    if link.owner != AccountId::OPERATOR {
        put("owner", json!(link.owner.to_string()));
    }
    put("created_at", json!(link.created_at.to_string()));
    put("updated_at", json!(link.updated_at.to_string()));
    put("version", json!(link.version));
    record
}

fn put_set(put: &mut impl FnMut(&str, Value) -> Option<Value>, name: &str, value: Option<impl ToString>) {
    if let Some(value) = value {
        put(name, json!(value.to_string()));
    }
}

fn put_true(put: &mut impl FnMut(&str, Value) -> Option<Value>, name: &str, value: bool) {
    if value {
        put(name, json!(true));
    }
}

/// Reads a record.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn read(fields: Fields, site: &Site) -> Result<NewLink, Vec<Wrong>> {
    let mut reader = Reader { fields, wrong: Vec::new() };
    reader.fields.remove("short_url"); // For information: slug and domain say it.
    let new = reader.link(site);
    let unknown: Vec<_> = reader.fields.keys().map(|name| Wrong::new(name, "is no field of a link")).collect();
    reader.wrong.extend(unknown);
    new.filter(|_| reader.wrong.is_empty()).ok_or(reader.wrong)
}

struct Reader {
    fields: Fields,
    wrong: Vec<Wrong>,
}

impl Reader {
    fn link(&mut self, site: &Site) -> Option<NewLink> {
        let domain = self.parsed("domain", |text| {
            site.domain(text).map_err(|why| format!("'{text}' {why}, or import under one of these with --domain"))
        });
        let slug = self.parsed("slug", |text| site.slugs.parse(text));
        let has_target = self.fields.contains_key("target");
        let target = self.parsed("target", |text| TargetUrl::parse(text, &site.rules));
        if !has_target {
            self.wrong.push(Wrong::new("target", "is missing"));
        }
        let title = self.parsed("title", str::parse);
        let note = self.parsed("note", str::parse);
        let tags = self.tags();
        let redirect = self.number("redirect", "must be a number", |code| {
            u16::try_from(code).ok().and_then(|code| RedirectKind::try_from(code).ok()).ok_or(InvalidRedirect)
        });
        let starts_at = self.parsed("starts_at", str::parse);
        let expires_at = self.parsed("expires_at", str::parse);
        let lifetime = Lifetime::new(starts_at, expires_at);
        if let Err(error) = &lifetime {
            self.wrong.push(Wrong::new("expires_at", error));
        }
        let max_visits = self.number("max_visits", "must be a whole number", MaxVisits::try_from);
        let password = self.parsed("password_hash", str::parse);
        let enabled = self.truth("enabled").unwrap_or(true);
        let forward = Forward {
            query: self.truth("forward_query").unwrap_or_default(),
            path: self.truth("forward_path").unwrap_or_default(),
        };
        let crawlable = self.truth("crawlable").unwrap_or_default();
        let past = self.past();
        Some(NewLink {
            domain: domain.unwrap_or_default(),
            slug,
            title,
            note,
            tags,
            redirect: redirect.unwrap_or_default(),
            lifetime: lifetime.unwrap_or_default(),
            max_visits,
            password,
            enabled,
            forward,
            crawlable,
            past,
            ..NewLink::to(target?)
        })
    }

    fn past(&mut self) -> Past {
        // As large as JSON can carry, and far below where a store's sums would end.
        let counted =
            |number: u64| if number < 1 << 53 { Ok(number) } else { Err("must be less than 9007199254740992") };
        let id = |text: &str| match text.parse::<LinkId>() {
            Ok(id) if id.as_uuid().is_nil() => Err("must not be the nil UUID, which no link has".to_owned()),
            parsed => parsed.map_err(|error| error.to_string()),
        };
        Past {
            id: self.parsed("id", id),
            owner: self.parsed("owner", str::parse),
            created_at: self.parsed("created_at", str::parse),
            updated_at: self.parsed("updated_at", str::parse),
            version: self.number("version", "must be a whole number", |version| match version {
                0 => Err("must be at least 1"),
                version => counted(version),
            }),
            clicks: self.number("clicks", "must be a whole number", counted).unwrap_or_default(),
        }
    }

    /// `null` is as good as nothing.
    fn take(&mut self, name: &str) -> Option<Value> {
        self.fields.remove(name).filter(|value| !value.is_null())
    }

    fn parsed<T, E: Display>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        let parsed = match self.take(name)? {
            Value::String(text) => parse(&text).map_err(|error| Wrong::new(name, error)),
            _ => Err(Wrong::new(name, "must be a text")),
        };
        parsed.map_err(|wrong| self.wrong.push(wrong)).ok()
    }

    fn number<T, E: Display>(
        &mut self,
        name: &str,
        kind: &str,
        convert: impl FnOnce(u64) -> Result<T, E>,
    ) -> Option<T> {
        let converted = match self.take(name)?.as_u64() {
            Some(number) => convert(number).map_err(|error| Wrong::new(name, error)),
            None => Err(Wrong::new(name, kind)),
        };
        converted.map_err(|wrong| self.wrong.push(wrong)).ok()
    }

    fn truth(&mut self, name: &str) -> Option<bool> {
        let truth = self.take(name)?.as_bool();
        if truth.is_none() {
            self.wrong.push(Wrong::new(name, "must be true or false"));
        }
        truth
    }

    fn tags(&mut self) -> Tags {
        let Some(value) = self.take("tags") else { return Tags::default() };
        let texts: Option<Vec<_>> = value.as_array().and_then(|items| items.iter().map(Value::as_str).collect());
        let tags = texts
            .ok_or_else(|| "must be a list of texts".to_owned())
            .and_then(|texts| {
                texts.into_iter().map(|text| text.parse().map_err(|error: InvalidText| error.to_string())).collect()
            })
            .and_then(|tags| Tags::new(tags).map_err(|error| error.to_string()));
        tags.unwrap_or_else(|reason| {
            self.wrong.push(Wrong::new("tags", reason));
            Tags::default()
        })
    }
}
