//! Which methods a path allows: poem says that one is wrong, but not which are right (RFC 9110 section
//! 15.5.6 wants both). What an operation needs of its caller. And which parameters it has: poem reads those it knows, and
//! would let a misspelt one pass.

use std::collections::BTreeMap;

use boltlink_core::{Actor, Error};
use http::{HeaderValue, Method};
use poem::Request;
use poem_openapi::registry::{MetaApi, MetaOperation, MetaParamIn};
use url::form_urlencoded;

use super::{
    access::{self, Rule},
    problem::Problem,
};
use crate::metrics::Route;

/// The paths there are.
pub(super) struct Methods(Vec<Known>);

struct Known {
    route: Route,
    segments: Vec<String>,
    /// The `Allow` header.
    allow: HeaderValue,
    operations: BTreeMap<Method, Operation>,
}

#[derive(Default)]
struct Operation {
    rule: Option<Rule>,
    parameters: Parameters,
}

/// The names of an operation's parameters.
#[derive(Default)]
struct Parameters {
    query: Vec<String>,
    headers: Vec<String>,
}

impl Parameters {
    fn of(operation: &MetaOperation) -> Self {
        let named = |wanted: fn(&MetaParamIn) -> bool| {
            let parameters = operation.params.iter().filter(|parameter| wanted(&parameter.in_type));
            parameters.map(|parameter| parameter.name.clone()).collect()
        };
        Self {
            query: named(|place| matches!(place, MetaParamIn::Query)),
            headers: named(|place| matches!(place, MetaParamIn::Header)),
        }
    }
}

impl Operation {
    fn of(operation: &MetaOperation) -> Self {
        let rule = access::rule(operation.operation_id.unwrap_or_default());
        Self { rule: Some(rule), parameters: Parameters::of(operation) }
    }
}

impl Methods {
    /// Of the operations, and of `pages`, which are read only, and `forms`, which take what they ask for.
    pub(super) fn new(apis: &[MetaApi], pages: &[&str], forms: &[&str]) -> Self {
        let mut paths: BTreeMap<String, BTreeMap<Method, Operation>> = BTreeMap::new();
        for path in apis.iter().flat_map(|api| &api.paths) {
            let operations = path.operations.iter().map(|one| (one.method.clone(), Operation::of(one)));
            paths.entry(path.path.clone()).or_default().extend(operations);
        }
        for page in pages.iter().chain(forms) {
            paths.entry((*page).to_owned()).or_default().insert(Method::GET, Operation::default());
        }
        for form in forms {
            paths.entry((*form).to_owned()).or_default().insert(Method::POST, Operation::default());
        }
        let known = |(path, operations): (String, BTreeMap<Method, Operation>)| {
            let mut methods: Vec<&str> = operations.keys().map(Method::as_str).collect();
            // poem answers HEAD by way of GET.
            if methods.contains(&"GET") {
                methods.push("HEAD");
            }
            methods.sort_unstable();
            let allow = HeaderValue::from_str(&methods.join(", ")).ok()?;
            let segments = path.split('/').map(str::to_owned).collect();
            Some(Known { route: Route::of_path(&path), segments, allow, operations })
        };
        Self(paths.into_iter().filter_map(known).collect())
    }

    /// What a path asks for, if there is such a path.
    pub(super) fn route(&self, path: &str) -> Route {
        self.find(path).map_or_else(Route::other, |known| known.route.clone())
    }

    /// The `Allow` header of a path; empty if there is no such path.
    pub(super) fn allowed(&self, path: &str) -> HeaderValue {
        self.find(path).map_or(HeaderValue::from_static(""), |known| known.allow.clone())
    }

    /// Refuses an actor who may not call the operation; and what poem would pass over: query parameters that it does
    /// not have, and headers that it has but that are no text.
    pub(super) fn check(&self, request: &Request, actor: Option<&Actor>) -> Result<(), Problem> {
        let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
        let uri = request.original_uri();
        let Some(operation) = self.find(uri.path()).and_then(|known| known.operations.get(method)) else {
            return Ok(());
        };
        match (operation.rule, actor) {
            (Some(Rule::Needs(scope)), Some(actor)) if !actor.may(scope) => {
                return Err(Error::Forbidden { scope }.into());
            }
            (Some(Rule::Session), Some(actor)) if actor.session().is_none() => return Err(Error::NoSession.into()),
            _ => {}
        }
        let Parameters { query, headers } = &operation.parameters;
        for (name, _) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
            if query.is_empty() {
                return Err(Problem::parameter(&name, "is unknown: this operation has no query parameters"));
            }
            if !query.iter().any(|known| *known == name) {
                return Err(Problem::parameter(&name, format_args!("is unknown; there are {}", query.join(", "))));
            }
        }
        for name in headers {
            if request.headers().get_all(name).iter().any(|value| value.to_str().is_err()) {
                return Err(Problem::parameter(name, "must consist of visible ASCII characters"));
            }
        }
        Ok(())
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
