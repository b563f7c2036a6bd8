//! A link as one line of NDJSON, with the API's names.

use boltlink_core::{Lifetime, MaxVisits, NewLink, Past, RedirectKind, StoredLink, Tags, TargetUrl};
use serde_json::{Map, Value, json};

use super::engine::Site;

/// What is wrong with one field of a line; an empty field name stands for the line as a whole.
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

/// Fields that an export has for information, and that an import makes anew.
const INFORMATION: [&str; 5] = ["id", "short_url", "clicks", "updated_at", "version"];

/// Writes a link. What has its usual value is left out, the default domain too: its name is
/// configuration, and may be another where the link is imported.
pub(super) fn write(stored: &StoredLink, site: &Site) -> Value {
    let link = &stored.link;
    let mut record = Map::new();
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
    put("enabled", json!(link.enabled));
    put("clicks", json!(stored.clicks));
    put("created_at", json!(link.created_at.to_string()));
    put("updated_at", json!(link.updated_at.to_string()));
    put("version", json!(link.version));
    Value::Object(record)
}

fn put_set(put: &mut impl FnMut(&str, Value) -> Option<Value>, name: &str, value: Option<impl ToString>) {
    if let Some(value) = value {
        put(name, json!(value.to_string()));
    }
}

/// Reads a line.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn read(line: &str, site: &Site) -> Result<NewLink, Vec<Wrong>> {
    let fields = match serde_json::from_str(line) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) => return Err(vec![Wrong::new("", "must be a JSON object")]),
        Err(error) => return Err(vec![Wrong::new("", format!("is not JSON: {error}"))]),
    };
    let mut reader = Reader { fields, wrong: Vec::new() };
    for name in INFORMATION {
        reader.fields.remove(name);
    }
    let new = reader.link(site);
    let unknown: Vec<_> = reader.fields.keys().map(|name| Wrong::new(name, "is no field of a link")).collect();
    reader.wrong.extend(unknown);
    new.filter(|_| reader.wrong.is_empty()).ok_or(reader.wrong)
}

struct Reader {
    fields: Map<String, Value>,
    wrong: Vec<Wrong>,
}

impl Reader {
    fn link(&mut self, site: &Site) -> Option<NewLink> {
        let domain = self.parsed("domain", |text| site.domain(text));
        let slug = self.parsed("slug", |text| site.slugs.parse(text));
        let has_target = self.fields.contains_key("target");
        let target = self.parsed("target", |text| TargetUrl::parse(text, &site.rules));
        if !has_target {
            self.wrong.push(Wrong::new("target", "is missing"));
        }
        let title = self.parsed("title", |text| text.parse());
        let note = self.parsed("note", |text| text.parse());
        let tags = self.tags();
        let redirect = self.number("redirect", "must be a number", |code| {
            u16::try_from(code)
                .ok()
                .and_then(|code| RedirectKind::try_from(code).ok())
                .ok_or(boltlink_core::InvalidRedirect)
        });
        let starts_at = self.parsed("starts_at", |text| text.parse());
        let expires_at = self.parsed("expires_at", |text| text.parse());
        let lifetime = Lifetime::new(starts_at, expires_at);
        if let Err(error) = &lifetime {
            self.wrong.push(Wrong::new("expires_at", error));
        }
        let max_visits = self.number("max_visits", "must be a whole number", MaxVisits::try_from);
        let enabled = match self.take("enabled") {
            None => true,
            Some(Value::Bool(enabled)) => enabled,
            Some(_) => {
                self.wrong.push(Wrong::new("enabled", "must be true or false"));
                true
            }
        };
        let created_at = self.parsed("created_at", |text| text.parse());
        Some(NewLink {
            domain: domain.unwrap_or_default(),
            slug,
            title,
            note,
            tags,
            redirect: redirect.unwrap_or_default(),
            lifetime: lifetime.unwrap_or_default(),
            max_visits,
            enabled,
            past: Past { created_at, ..Past::default() },
            ..NewLink::to(target?)
        })
    }

    /// `null` is as good as nothing.
    fn take(&mut self, name: &str) -> Option<Value> {
        self.fields.remove(name).filter(|value| !value.is_null())
    }

    fn parsed<T, E: ToString>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        let parsed = match self.take(name)? {
            Value::String(text) => parse(&text).map_err(|error| Wrong::new(name, error)),
            _ => Err(Wrong::new(name, "must be a text")),
        };
        parsed.map_err(|wrong| self.wrong.push(wrong)).ok()
    }

    fn number<T, E: ToString>(
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

    fn tags(&mut self) -> Tags {
        let Some(value) = self.take("tags") else { return Tags::default() };
        let texts: Option<Vec<_>> = value.as_array().and_then(|items| items.iter().map(Value::as_str).collect());
        let tags = texts
            .ok_or_else(|| "must be a list of texts".to_owned())
            .and_then(|texts| {
                texts
                    .into_iter()
                    .map(|text| text.parse().map_err(|e: boltlink_core::InvalidText| e.to_string()))
                    .collect()
            })
            .and_then(|tags| Tags::new(tags).map_err(|error| error.to_string()));
        tags.unwrap_or_else(|reason| {
            self.wrong.push(Wrong::new("tags", reason));
            Tags::default()
        })
    }
}
