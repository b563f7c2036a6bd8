//! The form of a link with a password: whoever knows it is sent on, and gets a pass for the next visits.

use std::{io, net::IpAddr};

use boltlink_core::{LinkPassword, Outcome, Purpose, TraceContext, Unlocked, Visit};
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::{
    body::Body,
    service::{Router, asked, visit},
};
use crate::{api::form::FormData, pages::Shut};

impl Router {
    /// Answers a POST to a short link. Only links with a password take one.
    pub(super) async fn unlock(
        &self,
        request: Request<Incoming>,
        client: Option<IpAddr>,
        trace: Option<TraceContext>,
    ) -> Response<Body> {
        let (head, body) = request.into_parts();
        let request = Request::from_parts(head, ());
        let headers = request.headers();
        let Some(domain) = self.hosts.of(&request) else { return self.pages.unknown_host(headers) };
        let follow = visit(&request, domain, (Purpose::Follow, client), trace);
        let slug = self.shortener.slug_rules().parse_segment(follow.slug).ok();
        match self.throttle.visit(&self.throttle.of_visit(client, domain, slug.as_ref())).await {
            Ok(None) => {}
            Ok(Some(refusal)) => return self.pages.too_often(&refusal, headers),
            Err(error) => return self.pages.failed(error, headers),
        }
        match self.shortener.visit(&Visit { purpose: Purpose::Peek, ..follow }).await {
            Ok(Outcome::PasswordRequired) => {}
            Ok(_) => return self.pages.method_not_allowed(headers),
            Err(error) => return self.pages.failed(error, headers),
        }
        match self.throttle.unlock(client, domain, slug.as_ref()).await {
            Ok(None) => {}
            Ok(Some(refusal)) => return self.pages.too_often(&refusal, headers),
            Err(error) => return self.pages.failed(error, headers),
        }
        let body = poem::Body::from(body.map_err(io::Error::other).boxed());
        let password = match FormData::read(headers, body, self.body_timeout).await {
            Ok(form) => form.field("password"),
            Err(problem) => return self.pages.refused(&problem, headers),
        };
        // What no link has is not worth the work.
        let Ok(password) = password.parse::<LinkPassword>() else { return self.pages.shut(Shut::Wrong, headers) };
        match self.shortener.unlock(&follow, password.reveal()).await {
            Ok(Unlocked::Open(outcome, pass)) => {
                self.metrics.came_to(&outcome);
                let segment = asked(request.uri().path()).unwrap_or_default().0;
                self.pages.unlocked(&outcome, domain, headers, (&pass, segment))
            }
            Ok(Unlocked::Wrong) => self.pages.shut(Shut::Wrong, headers),
            Ok(Unlocked::Unprotected) => self.pages.method_not_allowed(headers),
            Ok(Unlocked::Closed(outcome)) => {
                self.metrics.came_to(&outcome);
                self.pages.answer(&outcome, domain, headers)
            }
            Err(error) => self.pages.failed(error, headers),
        }
    }
}
