//! `/login/password`: where a one-time link leads, a page to set a password.

use std::{sync::Arc, time::Duration};

use boltlink_core::{Error, PasswordTicket, Shortener};
use http::StatusCode;
use poem::{Endpoint, IntoResponse, Request, Response, Result, RouteMethod, get};

use super::{
    auth::Guest,
    form::{self, FormData},
    problem::Problem,
};
use crate::{
    hosts::Hosts,
    pages::html::{self, Form},
    passwords,
    throttle::Throttle,
};

/// The page's path.
pub(super) const PATH: &str = "/login/password";

/// The one-time link of a ticket: a page of the server where its holder sets the password of the account.
#[must_use]
pub fn link(hosts: &Hosts, ticket: &PasswordTicket) -> String {
    // A token consists of characters that need no encoding.
    format!("{}{PATH}?ticket={}", hosts.base_url(), ticket.reveal())
}

/// The page, which shows a form and takes what it sends.
pub(super) fn page(shortener: Shortener, throttle: Arc<Throttle>, body_timeout: Duration) -> RouteMethod {
    get(Show).post(Take { shortener, throttle, body_timeout })
}

struct Show;

struct Take {
    shortener: Shortener,
    throttle: Arc<Throttle>,
    body_timeout: Duration,
}

impl Endpoint for Show {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        // Looked at only when it is used: whoever guesses learns nothing here.
        let ticket = form::field(request.uri().query().unwrap_or_default().as_bytes(), "ticket");
        Ok(show(StatusCode::OK, &ticket, None))
    }
}

impl Endpoint for Take {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let guest = Guest::of(&request);
        let (request, mut body) = request.split();
        let sent = FormData::read(request.headers(), body.take()?, self.body_timeout).await?;
        let ticket = sent.field("ticket");
        Ok(match self.set(&guest, &ticket, sent.field("password")).await {
            Ok(None) => html::page("The password is set", "You can log in with it now.")
                .with_content_type(html::CONTENT_TYPE)
                .into_response(),
            Ok(Some(wrong)) => show(StatusCode::UNPROCESSABLE_ENTITY, &ticket, Some(&wrong)),
            Err(problem) => {
                let page = html::page(problem.code().title(), problem.detail());
                let mut response =
                    page.with_content_type(html::CONTENT_TYPE).with_status(problem.code().status()).into_response();
                response.headers_mut().extend(problem.headers());
                response
            }
        })
    }
}

impl Take {
    /// Sets the password; or says what is wrong with it.
    async fn set(&self, guest: &Guest, ticket: &str, password: String) -> std::result::Result<Option<String>, Problem> {
        guest.may_try(&self.throttle, None).await?;
        let ticket = PasswordTicket::parse(ticket).map_err(|_| Error::Ticket)?;
        let account = self.shortener.find_ticket(&ticket).await?;
        match passwords::judge_apart(password, Some(account.email)).await {
            Ok(Ok(password)) => self.shortener.redeem_ticket(&ticket, &password).await?,
            Ok(Err(weak)) => return Ok(Some(format!("The password {weak}."))),
            Err(error) => return Err(super::problem::internal(&error)),
        }
        Ok(None)
    }
}

/// The page with the form.
fn show(status: StatusCode, ticket: &str, wrong: Option<&str>) -> Response {
    let form = Form {
        title: "Set your password",
        text: "12 characters at least, and not easy to guess.",
        wrong,
        hidden: Some(("ticket", ticket)),
        autocomplete: "new-password",
        button: "Set password",
    };
    html::password_form(&form).with_content_type(html::CONTENT_TYPE).with_status(status).into_response()
}
