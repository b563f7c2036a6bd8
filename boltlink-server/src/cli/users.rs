//! `boltlink users create-admin | invite | list | disable | enable | reset-password`

use std::{
    fmt::Write,
    io::{self, Read},
    process::ExitCode,
};

use boltlink_core::{Account, Actor, Email, Error, PasswordTicket, Role, Shortener, store::AccountCursor};
use boltlink_server::{judge_password, password_link};

use super::{
    engine::{self, Site},
    failure::{Failure, print},
    times::{or_never, to_the_second},
};
use crate::config::Config;

/// How many accounts are read at once.
const PAGE: u32 = 500;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Makes the account of an admin, and prints the one-time link by which its password is set.
    CreateAdmin {
        /// The e-mail address that names the account. Nothing is sent there.
        email: Email,
        #[command(flatten)]
        with: WithPassword,
    },
    /// Makes an account, and prints the one-time link by which its password is set: hand it over.
    Invite {
        /// The e-mail address that names the account. Nothing is sent there.
        email: Email,
        /// What it may do: admin (everything), editor (all with links of its own) or viewer (seeing them).
        #[arg(long, default_value = "editor")]
        role: Role,
        #[command(flatten)]
        with: WithPassword,
    },
    /// Lists all accounts, oldest first.
    List,
    /// Ends the sessions of an account; it and its API keys open nothing from then on, within a second also on a running
    /// server.
    Disable {
        /// The account's e-mail address.
        email: Email,
    },
    /// Lets a disabled account be used again.
    Enable {
        /// The account's e-mail address.
        email: Email,
    },
    /// Prints a one-time link by which a new password is set, for whoever has forgotten theirs: hand it over. The old one
    /// works until then.
    ResetPassword {
        /// The account's e-mail address.
        email: Email,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct WithPassword {
    /// Reads the password from standard input, its first line, instead of printing a link.
    #[arg(long)]
    password_stdin: bool,
}

impl WithPassword {
    async fn make(self, shortener: &Shortener, site: &Site, email: Email, role: Role) -> Result<String, Failure> {
        if !self.password_stdin {
            let (_, ticket) = shortener.invite(&Actor::OPERATOR, email, role).await?;
            return Ok(handed_over(site, &ticket));
        }
        let weak = |why| Failure::new(format_args!("the password {why}\n    fix: choose another one"));
        let password = judge_password(&read_password()?, Some(&email)).map_err(weak)?;
        shortener.add_account(&Actor::OPERATOR, email.clone(), role, &password).await?;
        Ok(format!("{email} can log in.\n"))
    }
}

pub(super) async fn run(config: &Config, command: Command) -> Result<ExitCode, Failure> {
    let site = Site::new(config);
    let opened = match command {
        Command::CreateAdmin { .. } | Command::Invite { .. } => engine::open(config).await?,
        _ => engine::open_existing(config).await?,
    };
    let answer = answer(&opened.shortener, &site, command).await;
    opened.close().await;
    print(&answer?)?;
    Ok(ExitCode::SUCCESS)
}

async fn answer(shortener: &Shortener, site: &Site, command: Command) -> Result<String, Failure> {
    let operator = &Actor::OPERATOR;
    let disable = async |email, disabled| {
        let id = find(shortener, &email).await?.id;
        shortener.edit_account(operator, id, None, Some(disabled)).await?;
        let state = if disabled { "disabled" } else { "enabled" };
        Ok(format!("{email} is {state}.\n"))
    };
    match command {
        Command::CreateAdmin { email, with } => with.make(shortener, site, email, Role::Admin).await,
        Command::Invite { email, role, with } => with.make(shortener, site, email, role).await,
        Command::List => Ok(table(&all(shortener).await?)),
        Command::Disable { email } => disable(email, true).await,
        Command::Enable { email } => disable(email, false).await,
        Command::ResetPassword { email } => {
            let account = find(shortener, &email).await?;
            Ok(handed_over(site, &shortener.reset_password(operator, account.id).await?))
        }
    }
}

fn handed_over(site: &Site, ticket: &PasswordTicket) -> String {
    format!("{}\n", password_link(&site.hosts, ticket))
}

/// The first line of standard input.
fn read_password() -> Result<String, Failure> {
    let mut text = String::new();
    // Longer than any password may be, and no endless stream.
    let read = io::stdin().lock().take(4_096).read_to_string(&mut text);
    read.map_err(|error| Failure::new(format_args!("cannot read the password from standard input: {error}")))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

async fn find(shortener: &Shortener, email: &Email) -> Result<Account, Failure> {
    shortener.find_email(&Actor::OPERATOR, email).await.map_err(|error| match error {
        Error::NotFound { .. } => Failure::new(format_args!(
            "there is no account of {email}\n    fix: boltlink users list shows those there are"
        )),
        error => error.into(),
    })
}

async fn all(shortener: &Shortener) -> Result<Vec<Account>, Error> {
    let (mut accounts, mut after): (Vec<Account>, Option<AccountCursor>) = (Vec::new(), None);
    loop {
        let page = shortener.list_accounts(&Actor::OPERATOR, after, PAGE).await?;
        accounts.extend(page.accounts);
        after = page.next;
        if after.is_none() {
            return Ok(accounts);
        }
    }
}

fn state(account: &Account) -> &'static str {
    match (account.disabled_at, &account.password) {
        (Some(_), _) => "disabled",
        (None, None) => "invited",
        (None, Some(_)) => "active",
    }
}

/// One line an account.
fn table(accounts: &[Account]) -> String {
    let mut text = format!("{:36}  {:6}  {:8}  {:20}  {:20}  EMAIL\n", "ID", "ROLE", "STATE", "CREATED", "LOGGED IN");
    for account in accounts {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{}  {:6}  {:8}  {}  {:20}  {}",
            account.id,
            account.role.as_str(),
            state(account),
            to_the_second(account.created_at),
            or_never(account.last_login_at),
            account.email
        );
    }
    text
}
