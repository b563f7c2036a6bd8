//! Which methods a path allows: poem says that one is wrong, but not which are right (RFC 9110 section
//! 15.5.6 wants both).

use std::collections::BTreeMap;

use http::HeaderValue;
use poem_openapi::registry::MetaApi;

/// The paths there are, with the `Allow` header of each.
pub(super) struct Methods(Vec<(Vec<String>, HeaderValue)>);

impl Methods {
    /// Of the operations, and of `pages`, which are read only.
    pub(super) fn new(apis: &[MetaApi], pages: &[&str]) -> Self {
        let mut allowed: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for path in apis.iter().flat_map(|api| &api.paths) {
            let methods = path.operations.iter().map(|operation| operation.method.to_string());
            allowed.entry(path.path.clone()).or_default().extend(methods);
        }
        for page in pages {
            allowed.entry((*page).to_owned()).or_default().push("GET".to_owned());
        }
        Self(
            allowed
                .into_iter()
                .filter_map(|(path, mut methods)| {
                    // poem answers HEAD by way of GET.
                    if methods.iter().any(|method| method == "GET") {
                        methods.push("HEAD".to_owned());
                    }
                    methods.sort();
                    let allow = HeaderValue::from_str(&methods.join(", ")).ok()?;
                    Some((path.split('/').map(str::to_owned).collect(), allow))
                })
                .collect(),
        )
    }

    /// The `Allow` header of a path; empty if there is no such path.
    pub(super) fn allowed(&self, path: &str) -> HeaderValue {
        let matches = |pattern: &[String]| {
            let mut segments = path.split('/');
            pattern.iter().all(|wanted| segments.next().is_some_and(|s| wanted.starts_with('{') || wanted == s))
                && segments.next().is_none()
        };
        let found = self.0.iter().find(|(pattern, _)| matches(pattern));
        found.map_or(HeaderValue::from_static(""), |(_, allow)| allow.clone())
    }
}
