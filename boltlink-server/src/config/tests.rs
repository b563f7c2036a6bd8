use std::{collections::BTreeMap, io, path::Path, time::Duration};

use boltlink_core::Durability;

use super::*;

const KEY: &str =
    "blt_019ab2c46f1e7cc398c4dc0c0c07398f_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// What the configuration is made of in a test.
#[derive(Default)]
struct World {
    file: Option<&'static str>,
    env: &'static [(&'static str, &'static str)],
    flags: &'static [(&'static str, &'static str)],
    secrets: &'static [(&'static str, &'static str)],
}

impl World {
    fn parse(&self) -> Result<Config, Vec<Problem>> {
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<_, _> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let secrets = map(self.secrets);
        let read = |path: &Path| {
            secrets.get(&path.display().to_string()).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
        };
        parse(&Input {
            file: self.file.map(|text| (Path::new("boltlink.toml"), text)),
            env: &map(self.env),
            flags: &map(self.flags),
            read: &read,
        })
    }

    /// The problems, as `key (origin)` in order.
    fn refused(&self) -> Vec<String> {
        self.parse().unwrap_err().iter().map(|p| format!("{} ({})", p.key, p.origin)).collect()
    }
}

#[test]
fn nothing_said_is_a_valid_configuration() {
    let config = World::default().parse().unwrap();
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:5000");
    assert!(config.listens_by_default());
    assert_eq!(config.database().to_string(), Path::new(".").join("boltlink.db").display().to_string());
    assert_eq!(config.clicks.durability, Durability::Buffered);
    assert_eq!(config.clicks.flush_interval.0, Duration::from_millis(500));
}

#[test]
fn each_source_beats_the_one_before() {
    let file =
        Some("listen = '127.0.0.1:1'\ndata_dir = '/file'\nflush_interval = '1s'\ndomains = ['a.example', 'B.example']");
    let env = &[("BOLTLINK_LISTEN", "127.0.0.1:2"), ("BOLTLINK_DATA_DIR", "/env"), ("BOLTLINK_FLUSH_INTERVAL", "")];
    let config = World { file, env, flags: &[("listen", "127.0.0.1:3")], ..World::default() }.parse().unwrap();
    assert_eq!(config.http.listen.port(), 3);
    assert_eq!(config.data_dir(), Path::new("/env"));
    assert_eq!(config.clicks.flush_interval.0, Duration::from_secs(1), "an empty variable is none");
    assert_eq!(config.http.domains.0.iter().map(|d| d.as_str()).collect::<Vec<_>>(), ["a.example", "b.example"]);
    assert_eq!(config.origins["listen"], Origin::Flag("listen".into()));
    assert_eq!(config.origins["data_dir"], Origin::Env("BOLTLINK_DATA_DIR".into()));
    assert_eq!(config.origins["flush_interval"], Origin::File("boltlink.toml".into(), 3));
    assert!(!config.listens_by_default());
}

#[test]
fn every_problem_is_reported_at_once() {
    let world = World {
        file: Some("durability = 'sometimes'\nlistne = '127.0.0.1:1'\nlisten = 5000\n"),
        env: &[
            ("BOLTLINK_SECRET", "abc"),
            ("BOLTLINK_INITIAL_API_KEY", "x"),
            ("BOLTLINK_INITIAL_API_KEY_FILE", "/run/key"),
            ("BOLTLINK_BASE_URL", "https://go.example.com"),
            ("BOLTLINK_DOMAINS", "GO.example.com"),
            ("DATABASE_URL", "postgres://u:hunter2@db/x?sslmode=hunter2"),
            ("REDIS_URL", "memcached://:hunter2@cache"),
        ],
        flags: &[("flush_interval", "100ms")],
        ..World::default()
    };
    assert_eq!(
        world.refused(),
        [
            "listen (boltlink.toml line 3)",
            "listne (boltlink.toml line 2)",
            "initial_api_key (environment variable BOLTLINK_INITIAL_API_KEY_FILE)",
            "database_url (environment variable DATABASE_URL)",
            "redis_url (environment variable REDIS_URL)",
            "durability (boltlink.toml line 1)",
            "flush_interval (flag --flush-interval)",
            "initial_api_key (environment variable BOLTLINK_INITIAL_API_KEY)",
            "secret (environment variable BOLTLINK_SECRET)",
            "domains (environment variable BOLTLINK_DOMAINS)",
        ]
    );
    for problem in world.parse().unwrap_err() {
        assert!(!problem.fix.is_empty(), "{problem}");
        assert!(!problem.to_string().contains("hunter2"), "{problem}");
    }
}

#[test]
fn a_broken_file_is_told_by_its_line_and_without_its_text() {
    let world =
        World { file: Some("listen = '127.0.0.1:1'\nsecret = \"hunter2\ndurability = 'never'"), ..World::default() };
    let problems = world.parse().unwrap_err();
    assert_eq!(problems[0].origin, Origin::File("boltlink.toml".into(), 2));
    assert!(problems.iter().any(|p| p.key == "durability"), "the rest is looked at too: {problems:?}");
    assert!(problems.iter().all(|p| !p.to_string().contains("hunter2")), "{problems:?}");
}

#[test]
fn a_secret_may_stand_in_a_file_of_its_own() {
    let env = &[("BOLTLINK_INITIAL_API_KEY_FILE", "/run/key")];
    let secrets: &'static [_] = Box::leak(Box::new([(
        "/run/key",
        concat!(
            "blt_019ab2c46f1e7cc398c4dc0c0c07398f_",
            "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "\n"
        ),
    )]));
    let config = World { env, secrets, ..World::default() }.parse().unwrap();
    assert_eq!(config.access.initial_api_key.unwrap().expose().reveal(), KEY);
    assert_eq!(
        World { env, ..World::default() }.refused(),
        ["initial_api_key (environment variable BOLTLINK_INITIAL_API_KEY_FILE)"]
    );
    assert_eq!(World { env, secrets: &[("/run/key", " \n")], ..World::default() }.refused().len(), 1);
}

#[test]
fn what_is_printed_reads_back_as_the_same_and_has_no_secret_in_it() {
    let env = &[
        ("BOLTLINK_INITIAL_API_KEY", KEY),
        ("BOLTLINK_SECRET", "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"),
        ("BOLTLINK_BASE_URL", "https://go.example.com:8443"),
        ("BOLTLINK_DOMAINS", "a.example,b.example"),
        ("BOLTLINK_READY_REQUIRES", "database"),
        ("BOLTLINK_DATA_DIR", r#"C:\data "x""#),
        ("DATABASE_URL", "sqlite:///srv/links.db"),
        ("BOLTLINK_DURABILITY", "acknowledged"),
        ("BOLTLINK_FLUSH_INTERVAL", "1m"),
    ];
    let config = World { env, ..World::default() }.parse().unwrap();
    let printed = to_toml(&config);
    for debug in [&printed, &format!("{config:?}")] {
        assert!(!debug.contains("0123456789abcdef") && !debug.contains("00112233"), "{debug}");
    }
    assert!(printed.contains("# secret is set, not shown: environment variable BOLTLINK_SECRET"), "{printed}");
    let again = World { file: Some(printed.clone().leak()), ..World::default() }.parse().unwrap();
    for setting in all().filter(|setting| !setting.secret) {
        assert_eq!(again.shown(setting.name), config.shown(setting.name), "{}", setting.name);
    }
}

#[test]
fn the_printed_defaults_are_a_documented_example_file() {
    let printed = to_toml(&World::default().parse().unwrap());
    for setting in all() {
        assert!(printed.contains(&format!("{} = ", setting.name)), "{}", setting.name);
        assert!(printed.contains(setting.docs[0]), "{}", setting.name);
    }
    assert!(World { file: Some(printed.leak()), ..World::default() }.parse().is_ok());
}

#[test]
fn values_that_cannot_be_right_are_refused() {
    for (name, text) in [
        ("listen", "localhost"),
        ("base_url", "go.example.com"),
        ("base_url", "https://go.example.com/s"),
        ("base_url", "https://u:p@go.example.com"),
        ("base_url", "ftp://go.example.com"),
        ("domains", "a b"),
        ("ready_requires", "redis"),
        ("ready_requires", "mail"),
        ("redis_prefix", "{a}"),
        ("workers", "some"),
        ("workers", "none"),
        ("data_dir", ""),
        ("database_connections", "0"),
        ("flush_interval", "61s"),
        ("flush_interval", "soon"),
        ("log", "boltlink=loud"),
        ("trusted_proxies", "10.0.0.0/99"),
        ("proxy_header", "x-real-ip"),
        ("cors_origins", "*"),
        ("limit_api", "6000"),
        ("limit_link", "0/s"),
        ("limit_address", "1/week"),
        ("nodes", "0"),
        ("private_targets", "yes"),
    ] {
        let flags: &'static [_] = vec![(name, text)].leak();
        assert_eq!(World { flags, ..World::default() }.parse().unwrap_err().len(), 1, "{name} = {text}");
    }
}

#[test]
fn a_database_is_a_file_or_on_postgres() {
    let with = |url| World { env: vec![("DATABASE_URL", url)].leak(), ..World::default() };
    for url in ["boltlink.db", "sqlite::memory:", "sqlite:x.db?mode=ro", "mysql://u:hunter2@db/x", "postgres:x"] {
        assert_eq!(with(url).refused(), ["database_url (environment variable DATABASE_URL)"], "{url}");
    }
    let config = with("postgres://u:hunter2@db.example/x").parse().unwrap();
    assert!(config.database().to_string().contains("db.example"));
    for text in [to_toml(&config), format!("{config:?}"), config.database().to_string()] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    let env = &[("BOLTLINK_DATABASE_REPLICA_URL", "postgres://u:hunter2@replica/x")];
    assert_eq!(
        World { env, ..World::default() }.refused(),
        ["database_replica_url (environment variable BOLTLINK_DATABASE_REPLICA_URL)"]
    );
}

#[test]
fn with_a_redis_clicks_are_gathered_longer_and_may_be_stored_elsewhere() {
    let env = &[("REDIS_URL", "redis://:hunter2@cache/"), ("BOLTLINK_READY_REQUIRES", "redis, database")];
    let config = World { env, flags: &[("workers", "none")], ..World::default() }.parse().unwrap();
    assert_eq!(config.flush_interval(), Duration::from_secs(1));
    assert_eq!(config.clicks.workers.consumers(), []);
    assert_eq!(config.redis().unwrap().prefix.as_str(), "boltlink:");
    assert!(config.http.ready_requires.redis && config.http.ready_requires.database);
    for text in [to_toml(&config), format!("{config:?}")] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    let chosen = World { env, flags: &[("flush_interval", "500ms")], ..World::default() }.parse().unwrap();
    assert_eq!(chosen.flush_interval(), Duration::from_millis(500));
    let alone = World::default().parse().unwrap();
    assert!(alone.redis().is_none());
    assert_eq!(alone.flush_interval(), Duration::from_millis(500));
}

#[test]
fn domains_without_a_reachable_default_domain_contradict_themselves() {
    let env = &[("BOLTLINK_DOMAINS", "a.example"), ("BOLTLINK_LISTEN", "0.0.0.0:80")];
    assert_eq!(World { env, ..World::default() }.refused(), ["base_url (default)"]);
}

#[test]
fn a_misspelt_variable_is_noticed() {
    let env = ["BOLTLINK_DURABILTY", "BOLTLINK_DURABILITY", "BOLTLINK_SECRET_FILE", "BOLTLINK_PORT_5000_TCP", "PATH"];
    assert_eq!(unknown(env.into_iter()), ["BOLTLINK_DURABILTY"]);
}

#[test]
fn pages_belong_to_domains_of_ours_and_do_not_lead_in_a_circle() {
    let with = |flags| World {
        env: &[("BOLTLINK_BASE_URL", "https://a.example"), ("BOLTLINK_DOMAINS", "b.example")],
        flags,
        ..World::default()
    };
    let config = with(&[
        ("root_url", "https://a.example/home, b.example=https://www.example.org/?a=b%2Cc"),
        ("not_found_url", "https://www.example.com/lost, a.example.com=x"),
    ]);
    assert_eq!(config.refused(), ["not_found_url (flag --not-found-url)"], "an address that is none");
    let config = with(&[
        ("root_url", "https://a.example/home, b.example=https://www.example.org/?a=b%2Cc"),
        ("not_found_url", "A.example=https://www.example.com/lost"),
    ]);
    let pages = &config.parse().unwrap().http.root_url.0;
    let shown: Vec<_> = pages.iter().map(|(domain, url)| (domain.as_ref().map(|d| d.as_str()), url.as_str())).collect();
    assert_eq!(
        shown,
        [(None, "https://a.example/home"), (Some("b.example"), "https://www.example.org/?a=b%2Cc")],
        "a root may be a short link"
    );
    for flags in [
        &[("root_url", "c.example=https://www.example.com/")][..],
        &[("root_url", "https://a.example")],
        &[("root_url", "http://a.example.:443/?x")],
        &[("root_url", "b.example=https://b.example/#x")],
        &[("root_url", "https://www.example.com/, https://www.example.org/")],
        &[("root_url", "javascript:alert(1)")],
    ] {
        assert_eq!(with(flags).refused(), ["root_url (flag --root-url)"], "{flags:?}");
    }
    for flags in [
        &[("not_found_url", "c.example=https://www.example.com/")][..],
        &[("not_found_url", "https://a.example/lost")],
        &[("not_found_url", "https://b.example/lost")],
    ] {
        assert_eq!(with(flags).refused(), ["not_found_url (flag --not-found-url)"], "{flags:?}");
    }
}
