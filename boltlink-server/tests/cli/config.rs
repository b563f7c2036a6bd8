//! What a configuration does to a start.

use crate::Folder;

#[test]
fn print_config_shows_what_holds_and_reads_back() {
    let folder = Folder::new();
    folder.write("boltlink.toml", "durability = \"acknowledged\"\nlisten = \"127.0.0.1:1\"\n");
    let env = [("BOLTLINK_SECRET_FILE", "secret"), ("BOLTLINK_LISTEN", "127.0.0.1:2")];
    folder.write("secret", "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n");
    let args = ["--config", "boltlink.toml", "--print-config", "--flush-interval", "2s"];
    let printed = folder.run_with(&args, &env, "");
    assert_eq!((printed.code, printed.err.as_str()), (Some(0), ""));
    for line in [
        "listen = \"127.0.0.1:2\" # environment variable BOLTLINK_LISTEN",
        "durability = \"acknowledged\" # boltlink.toml line 1",
        "flush_interval = \"2000ms\" # flag --flush-interval",
        "# secret is set, not shown: environment variable BOLTLINK_SECRET_FILE",
    ] {
        assert!(printed.out.lines().any(|l| l == line), "{line}: {}", printed.out);
    }
    assert!(!printed.out.contains("00112233"));
    folder.write("printed.toml", &printed.out);
    folder.ok(&["serve", "--config", "printed.toml", "--print-config"]);
    assert_eq!(folder.files(), ["boltlink.toml", "printed.toml", "secret"], "printing makes nothing");
}

#[test]
fn the_page_of_all_settings_is_that_of_this_program() {
    let page = Folder::new().ok(&["config-reference"]);
    let kept = include_str!("../../../docs/configuration.md").replace("\r\n", "\n");
    assert!(page == kept, "a setting has changed: run `cargo run -- config-reference > docs/configuration.md`");
}

#[test]
fn every_problem_is_told_before_anything_is_touched() {
    let folder = Folder::new();
    folder.write("boltlink.toml", "colour = 'red'\n");
    let env = [
        ("DATABASE_URL", "mysql://u:hunter2@db/links"),
        ("REDIS_URL", "memcached://:hunter2@cache"),
        ("BOLTLINK_SECRET", "x"),
    ];
    for command in [&["serve"][..], &["doctor"], &["shorten", "https://example.com/"]] {
        let args = [command, &["--config", "boltlink.toml", "--listen", "here"]].concat();
        let refused = folder.run_with(&args, &env, "");
        assert_eq!((refused.code, refused.out.as_str()), (Some(1), ""));
        for part in [
            "5 problems",
            "colour (boltlink.toml line 1)",
            "listen (flag --listen)",
            "database_url (environment variable DATABASE_URL): must be sqlite: and the path of a file, or a postgres:// URL",
            "redis_url (environment variable REDIS_URL)",
            "secret (environment variable BOLTLINK_SECRET): must be 64 hexadecimal digits",
        ] {
            assert!(refused.err.contains(part), "{part}: {}", refused.err);
        }
        assert!(!refused.err.contains("hunter2"), "{}", refused.err);
    }
    assert_eq!(folder.files(), ["boltlink.toml"]);
}

#[test]
fn a_missing_configuration_file_is_a_problem() {
    let folder = Folder::new();
    assert!(folder.fails(&["--config", "nowhere.toml"]).contains("nowhere.toml"));
}

#[test]
fn help_is_for_people() {
    let folder = Folder::new();
    let help = folder.ok(&["--help"]);
    for part in ["serve", "shorten", "doctor", "--listen", "[env: BOLTLINK_LISTEN]", "[default: 127.0.0.1:5000]"] {
        assert!(help.contains(part), "{part}: {help}");
    }
    assert!(!help.contains("--secret") && !help.contains("--initial-api-key"), "others can see a command line");
}

#[test]
fn a_port_that_was_asked_for_and_is_taken_stops_the_start() {
    let folder = Folder::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = folder.fails(&["serve", "--listen", &address]);
    assert!(error.contains(&address) && error.contains("--listen"), "{error}");
    assert_eq!(folder.files(), [""; 0]);
}
