//! Which methods a path allows: poem says that one is wrong, but not which are right (RFC 9110 section
//! 15.5.6 wants both). And which parameters an operation has: poem reads those it knows, and would let a misspelt one
//! pass.

use std::collections::BTreeMap;

use http::{HeaderValue, Method, Uri};
use poem_openapi::registry::{MetaApi, MetaOperationParam, MetaParamIn};
use url::form_urlencoded;

use super::problem::Problem;

/// The paths there are.
pub(super) struct Methods(Vec<Known>);

struct Known {
    segments: Vec<String>,
    /// The `Allow` header.
    allow: HeaderValue,
    /// The names of each operation's query parameters.
    parameters: BTreeMap<Method, Vec<&'static str>>,
}

impl Methods {
    /// Of the operations, and of `pages`, which are read only.
    pub(super) fn new(apis: &[MetaApi], pages: &[&str]) -> Self {
        let mut paths: BTreeMap<String, BTreeMap<Method, Vec<&'static str>>> = BTreeMap::new();
        for path in apis.iter().flat_map(|api| &api.paths) {
            let known = paths.entry(path.path.clone()).or_default();
            for operation in &path.operations {
                let query = |parameter: &&MetaOperationParam| matches!(parameter.in_type, MetaParamIn::Query);
                let names = operation.params.iter().filter(query).map(|parameter| &*parameter.name.clone().leak());
                known.insert(operation.method.clone(), names.collect());
            }
        }
        for page in pages {
            paths.entry((*page).to_owned()).or_default().insert(Method::GET, Vec::new());
        }
        let known = |(path, parameters): (String, BTreeMap<Method, Vec<&'static str>>)| {
            let mut methods: Vec<&str> = parameters.keys().map(Method::as_str).collect();
            // poem answers HEAD by way of GET.
            if methods.contains(&"GET") {
                methods.push("HEAD");
            }
            methods.sort_unstable();
            let allow = HeaderValue::from_str(&methods.join(", ")).ok()?;
            Some(Known { segments: path.split('/').map(str::to_owned).collect(), allow, parameters })
        };
        Self(paths.into_iter().filter_map(known).collect())
    }

    /// The `Allow` header of a path; empty if there is no such path.
    pub(super) fn allowed(&self, path: &str) -> HeaderValue {
        self.find(path).map_or(HeaderValue::from_static(""), |known| known.allow.clone())
    }

    /// Refuses a query that has parameters which its operation does not have.
    pub(super) fn check_query(&self, method: &Method, uri: &Uri) -> Result<(), Problem> {
        let (Some(query), Some(known)) = (uri.query(), self.find(uri.path())) else { return Ok(()) };
        let method = if method == Method::HEAD { &Method::GET } else { method };
        let names = known.parameters.get(method).map_or(&[][..], Vec::as_slice);
        let stray = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| !names.contains(&&**name));
        match stray {
            None => Ok(()),
            Some((name, _)) if names.is_empty() => {
                Err(Problem::parameter(&name, "is unknown: this operation has no query parameters"))
            }
            Some((name, _)) => {
                Err(Problem::parameter(&name, format_args!("is unknown; there are {}", names.join(", "))))
            }
        }
    }

    fn find(&self, path: &str) -> Option<&Known> {
        let matches = |known: &&Known| {
            let mut segments = path.split('/');
            known.segments.iter().all(|wanted| segments.next().is_some_and(|s| wanted.starts_with('{') || wanted == s))
                && segments.next().is_none()
        };
        // A path that is spelled out goes before one with a place for anything.
        self.0.iter().filter(matches).min_by_key(|known| known.segments.iter().filter(|s| s.starts_with('{')).count())
    }
}
