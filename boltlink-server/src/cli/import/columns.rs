//! Which column of which export is which field of a link.

use boltlink_core::LinkId;
use serde_json::Value;

use super::cell;
use crate::cli::record::{Fields, Wrong};

/// Whose names the columns have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Ours, and what people call things in tables of their own.
    Links,
    Bitly,
    Yourls,
    Shlink,
    Kutt,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    /// The field of this name.
    Field(&'static str),
    /// The slug, between slashes.
    Path,
    /// A short URL that a person chose: it goes before the other one.
    ChosenUrl,
    /// A short URL: says slug and domain where no other column does.
    ShortUrl,
    /// Whether the link was blocked by a moderator.
    Banned,
    /// Whether it has a password, or which.
    Password,
    /// The number of a row in a table of domains that is not here.
    DomainNumber,
    /// Nothing that a link of ours has.
    Foreign,
}

use Column::{Banned, ChosenUrl, DomainNumber, Field, Foreign, Password, Path, ShortUrl};

/// Names in small letters, without anything between words: `Long URL` and `long_url` are `longurl`.
type Names = &'static [(Column, &'static [&'static str])];

const LINKS: Names = &[
    (Field("target"), &["target", "url", "longurl", "targeturl", "destination", "destinationurl", "originalurl"]),
    (Field("slug"), &["slug", "shortcode", "keyword", "alias", "backhalf", "customslug"]),
    (Field("domain"), &["domain", "host"]),
    (ShortUrl, &["shorturl", "shortlink"]),
    (Field("title"), &["title", "name"]),
    (Field("note"), &["note", "notes", "description", "comment"]),
    (Field("tags"), &["tags", "tag", "labels"]),
    (Field("redirect"), &["redirect", "redirecttype", "redirectcode"]),
    (Field("starts_at"), &["startsat", "validsince", "startdate"]),
    (Field("expires_at"), &["expiresat", "validuntil", "expires", "expiration", "expirationdate", "enddate"]),
    (Field("max_visits"), &["maxvisits", "maxclicks"]),
    (Field("password_hash"), &["passwordhash"]),
    (Field("enabled"), &["enabled", "active"]),
    (Field("forward_query"), &["forwardquery"]),
    (Field("forward_path"), &["forwardpath"]),
    (Field("crawlable"), &["crawlable"]),
    (Field("id"), &["id"]),
    (Field("owner"), &["owner"]),
    (Field("clicks"), &["clicks", "visits", "hits", "totalclicks"]),
    (Field("created_at"), &["createdat", "created", "datecreated", "createddate", "creationdate", "date", "timestamp"]),
    (Field("updated_at"), &["updatedat", "updated"]),
    (Field("version"), &["version"]),
];

const BITLY: Names = &[
    (Field("target"), &["longurl", "destination", "destinationurl", "originalurl", "url"]),
    (ChosenUrl, &["custombitlink", "custombitlinks", "customlink", "customlinks", "customshortlink", "customurl"]),
    (ShortUrl, &["bitlink", "link", "shortlink", "shorturl", "bitlyurl", "bitlylink", "bitlinkid", "id"]),
    (Field("slug"), &["custombackhalf", "backhalf"]),
    (Field("title"), &["title", "linktitle"]),
    (Field("tags"), &["tags", "tag"]),
    (Field("created_at"), &["createdat", "created", "datecreated", "createddate", "creationdate", "createddateutc"]),
    (
        Field("clicks"),
        &["clicks", "totalclicks", "alltimeclicks", "engagements", "totalengagements", "clicksscans", "clicksandscans"],
    ),
    (
        Foreign,
        &[
            "archived",
            "campaign",
            "campaigns",
            "channel",
            "channels",
            "createdby",
            "creator",
            "group",
            "groupguid",
            "domain",
            "uniqueclicks",
            "scans",
            "qrcode",
            "qrscans",
            "modified",
            "modifiedat",
            "deeplinks",
            "references",
        ],
    ),
];

const YOURLS: Names = &[
    (Field("target"), &["url", "target"]),
    (Path, &["keyword", "source"]),
    (ShortUrl, &["shorturl"]),
    (Field("title"), &["title"]),
    (Field("created_at"), &["timestamp"]),
    (Field("clicks"), &["clicks", "hits"]),
    (Foreign, &["ip", "regex", "code", "type", "match"]),
];

const SHLINK: Names = &[
    (Field("target"), &["longurl"]),
    (Path, &["shortcode"]),
    (Field("domain"), &["domain"]),
    (ShortUrl, &["shorturl"]),
    (Field("title"), &["title"]),
    (Field("tags"), &["tags"]),
    (Field("created_at"), &["createdat", "datecreated"]),
    (Field("clicks"), &["visits", "visitscount", "visitcount"]),
    (Field("starts_at"), &["validsince"]),
    (Field("expires_at"), &["validuntil"]),
    (Field("max_visits"), &["maxvisits"]),
    (Field("crawlable"), &["crawlable"]),
    (Field("forward_query"), &["forwardquery"]),
];

const KUTT: Names = &[
    (Field("target"), &["target"]),
    (Path, &["address"]),
    (Field("domain"), &["domain"]),
    // What Kutt shows of a link in its list.
    (Field("title"), &["description"]),
    (Field("expires_at"), &["expirein"]),
    (Field("created_at"), &["createdat"]),
    (Field("clicks"), &["visitcount"]),
    (Banned, &["banned"]),
    (Password, &["password"]),
    (DomainNumber, &["domainid"]),
    (
        Foreign,
        &[
            "id",
            "uuid",
            "userid",
            "updatedat",
            "bannedbyid",
            "link",
            "relativecreatedat",
            "relativeexpirein",
            "searchable",
        ],
    ),
];

impl Origin {
    /// Whose header this is, if anybody's: it must name the column of the targets.
    pub(super) fn of(header: &[String]) -> Option<Self> {
        let names: Vec<String> = header.iter().map(|name| plain(name)).collect();
        let has = |name: &str| names.iter().any(|known| known == name);
        let bitly = ["bitlink", "custombitlink", "custombitlinks", "customlink", "bitlyurl", "bitlylink"];
        // A table of somebody's own may have some of these names, and columns that no export has.
        let all = |origin: Self, markers: &[&str]| {
            markers.iter().all(|name| has(name)) && header.iter().all(|name| origin.column(name).is_some())
        };
        let origin =
            if has("visits") && has("shortcode") && has("longurl") || all(Self::Shlink, &["shortcode", "longurl"]) {
                Self::Shlink
            } else if has("visitcount") && has("address") || all(Self::Kutt, &["address", "target"]) {
                Self::Kutt
            } else if all(Self::Yourls, &["source", "target"]) || all(Self::Yourls, &["keyword", "url"]) {
                Self::Yourls
            } else if bitly.iter().any(|name| has(name)) || (has("link") && (has("longurl") || has("destinationurl"))) {
                Self::Bitly
            } else {
                Self::Links
            };
        header.iter().any(|name| origin.column(name) == Some(Field("target"))).then_some(origin)
    }

    /// What the column of this name holds; `None` if it is not known.
    pub(super) fn column(self, name: &str) -> Option<Column> {
        let name = plain(name);
        self.names().iter().find(|(_, names)| names.contains(&name.as_str())).map(|(column, _)| *column)
    }

    /// What the column of the targets may be called.
    pub(super) fn targets(self) -> &'static [&'static str] {
        self.names().iter().find(|(column, _)| *column == Field("target")).map_or(&[], |(_, names)| names)
    }

    fn names(self) -> Names {
        match self {
            Self::Links => LINKS,
            Self::Bitly => BITLY,
            Self::Yourls => YOURLS,
            Self::Shlink => SHLINK,
            Self::Kutt => KUTT,
        }
    }
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

const PASSWORD: &str = "is set, and what is kept of it there cannot be used here; without it the link would be open to \
                        everybody. Make it anew, with a password";

/// The fields of a link out of the cells of its record, and what is wrong with cells that become no
/// field. With a `domain` those that name one do not matter.
pub(super) fn assemble(
    origin: Origin,
    cells: impl Iterator<Item = (Column, Value)>,
    domain: Option<&str>,
) -> (Fields, Vec<Wrong>) {
    let (mut fields, mut wrong) = (Fields::new(), Vec::new());
    let (mut chosen, mut short, mut number) = (None, None, false);
    for (column, value) in cells {
        // A slug is never nothing there, but may well be called so.
        let of_database = matches!(origin, Origin::Yourls | Origin::Kutt) && column != Path;
        let Some(value) = cell::present(value, of_database) else { continue };
        match column {
            // Of several columns for one field the first that says something counts.
            Field(name) if fields.contains_key(name) => {}
            // In a table of one's own a number of the row, most likely; ours are UUIDs.
            Field("id") if !is_id(&value) => {}
            Field(name) => {
                if let Some(value) = cell::convert(name, value, origin) {
                    fields.insert(name.to_owned(), value);
                }
            }
            Path => {
                fields.insert("slug".to_owned(), cell::slug(value));
            }
            ChosenUrl => chosen = chosen.or_else(|| cell::short_url(&value)),
            ShortUrl => short = short.or_else(|| cell::short_url(&value)),
            Banned => {
                if cell::truth(&value) == Some(true) {
                    fields.insert("enabled".to_owned(), false.into());
                }
            }
            Password if cell::truth(&value) == Some(false) => {}
            Password => wrong.push(Wrong::new("password", PASSWORD)),
            DomainNumber => number = true,
            Foreign => {}
        }
    }
    if let Some((host, slug)) = chosen.or(short)
        && !fields.contains_key("slug")
    {
        fields.insert("slug".to_owned(), slug.into());
        fields.entry("domain").or_insert_with(|| host.into());
    }
    if let Some(domain) = domain {
        fields.insert("domain".to_owned(), domain.into());
    } else if number && !fields.contains_key("domain") {
        let reason = "names a domain by its number; use --domain, or export the domain's name";
        wrong.push(Wrong::new("domain_id", reason));
    }
    (fields, wrong)
}

fn is_id(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.parse::<LinkId>().is_ok())
}

/// The same for a link in JSON. One with our own names stays as it is.
pub(super) fn from_json(object: Fields, domain: Option<&str>) -> (Fields, Vec<Wrong>) {
    if object.contains_key("address") && !object.contains_key("slug") {
        let cells = object.into_iter().map(|(name, value)| (Origin::Kutt.column(&name).unwrap_or(Foreign), value));
        return assemble(Origin::Kutt, cells, domain);
    }
    let mut fields = object;
    if let Some(domain) = domain {
        fields.insert("domain".to_owned(), domain.into());
    }
    (fields, Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(header: &str) -> Option<Origin> {
        Origin::of(&header.split(',').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn headers_tell_whose_they_are() {
        for (header, whose) in [
            ("createdAt,domain,shortCode,shortUrl,longUrl,title,tags,visits", Some(Origin::Shlink)),
            ("Long URL,Short code,Note,Clicks", Some(Origin::Links)),
            ("keyword,url,tags,note", Some(Origin::Links)),
            ("address,target,note", Some(Origin::Links)),
            ("Long URL,Short code", Some(Origin::Shlink)),
            ("source,target,hits", Some(Origin::Yourls)),
            ("keyword,url,title,timestamp, ip,clicks", Some(Origin::Yourls)),
            ("id,address,description,banned,domain_id,password,expire_in,target,visit_count", Some(Origin::Kutt)),
            ("Bitlink,Long URL,Title,Created,Tags,Total Clicks", Some(Origin::Bitly)),
            ("long_url,custom_bitlink,title,archived,tags,created_at", Some(Origin::Bitly)),
            ("Link,Custom Link,Destination URL", Some(Origin::Bitly)),
            ("URL", Some(Origin::Links)),
            ("slug,target", Some(Origin::Links)),
            ("name,price", None),
            ("https://example.com/?a=1,2", None),
        ] {
            assert_eq!(origin(header), whose, "{header}");
        }
    }

    #[test]
    fn a_name_means_one_thing_in_an_export() {
        for origin in [Origin::Links, Origin::Bitly, Origin::Yourls, Origin::Shlink, Origin::Kutt] {
            let mut names: Vec<_> = origin.names().iter().flat_map(|(_, names)| *names).collect();
            assert!(names.iter().all(|name| plain(name) == **name), "{origin:?}: {names:?}");
            let all = names.len();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), all, "{origin:?}");
        }
    }
}
