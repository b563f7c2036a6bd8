//! What the documentation says can be done: every line of the guides is run, every operation has one, and every link leads
//! to a heading that there is.

use std::{
    collections::BTreeSet,
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::Arc,
};

use boltlink_core::{BatchId, Click, ClickBatch, Clock, EntropyExt, SystemClock, SystemEntropy, memory::MemoryLog};
use boltlink_store_sqlite::{SqliteConfig, SqliteStore};
use boltlink_testkit::Server;
use serde_json::Value;

use crate::server;

#[tokio::test(flavor = "multi_thread")]
async fn every_line_of_the_guide_works() {
    let tools = shell(TOOLS, Path::new("."), &[]);
    assert!(tools.status.success(), "the guide needs these in the PATH, too: {}", told(&tools));

    let guide = read("docs/api.md");
    let (server, directory) =
        (server().env("BOLTLINK_REGISTRATION", "open").start().await.unwrap(), tempfile::tempdir().unwrap());
    refuse_clicks(&server).await;
    let blocks: Vec<_> = blocks(&guide).collect();
    assert!(blocks.len() > 10, "the guide has lines to run: {}", blocks.len());
    let ran = shell(&(PRELUDE.to_owned() + &script("docs/api.md")), directory.path(), &variables(&server));
    assert!(ran.status.success(), "a line of the guide fails, {}:\n{}", ran.status, told(&ran));
    let depth = server.client().get("/api/v1/admin/queue").await.unwrap().expect(200).unwrap();
    assert_eq!(depth["consumers"][0]["dead_letters"], 0, "one is replayed, one is purged");
    for file in ["learn.svg", "learn.png", "clicks.csv", "clicks.ndjson"] {
        assert!(fs::metadata(directory.path().join(file)).unwrap().len() > 0, "{file}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_of_the_other_guides_works() {
    // Those of the last one say by themselves what fails, as some want to be refused.
    for (guide, least, prelude) in [
        ("docs/quickstart.md", 4, PRELUDE),
        ("docs/backup.md", 2, PRELUDE),
        ("docs/upgrade.md", 1, PRELUDE),
        ("docs/verification.md", 6, ""),
    ] {
        assert!(blocks(&read(guide)).count() >= least, "{guide} has lines to run");
        let (server, directory) = (server().start().await.unwrap(), tempfile::tempdir().unwrap());
        let ran = shell(&(prelude.to_owned() + &script(guide)), directory.path(), &variables(&server));
        assert!(ran.status.success(), "a line of {guide} fails, {}:\n{}", ran.status, told(&ran));
    }
}

/// The lines of a guide to run, each block with where it stands.
fn script(guide: &str) -> String {
    let block = |(line, block): (usize, &str)| {
        // A refusal within $(…) or before a pipe ends no shell: hence the file.
        format!("echo '--- {guide}:{line}' >&2\n{block}[ ! -e refused ] || exit 22\n")
    };
    blocks(&read(guide)).map(block).collect()
}

/// What guides take for given: where the server is, its key and its data, and `boltlink` in the PATH.
fn variables(server: &Server) -> Vec<(&'static str, String)> {
    let programs = Path::new(env!("CARGO_BIN_EXE_boltlink")).parent().unwrap().to_owned();
    let paths = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths([programs].into_iter().chain(env::split_paths(&paths))).unwrap();
    vec![
        ("URL", server.url("")),
        ("KEY", server.key().to_owned()),
        ("DATA", server.data_dir().to_str().unwrap().to_owned()),
        // So that no command looks at a port that somebody else has.
        ("BOLTLINK_LISTEN", server.address().to_string()),
        ("PATH", path.into_string().unwrap()),
    ]
}

/// Puts two batches into the dead letters of the totals: the guide replays one and purges one.
async fn refuse_clicks(server: &Server) {
    let clock = Arc::new(SystemClock);
    let file = SqliteConfig::new(server.data_dir().join("boltlink.db"));
    let store = SqliteStore::open(&file, clock.clone()).await.unwrap();
    let totals = store.stores(Arc::new(MemoryLog::new(clock, 1))).totals;
    let (producer, now) = (SystemEntropy.producer_id(SystemClock.now()), SystemClock.now());
    for sequence in [1, 2] {
        let click = Click::bare(SystemEntropy.link_id(now), now);
        let batch = ClickBatch::new(BatchId { producer, sequence }, [click]);
        totals.set_aside(&batch, "as an example").await.unwrap();
    }
    store.close().await.unwrap();
}

/// Names what is missing of all that the lines call.
const TOOLS: &str = r#"
missing=
for tool in curl sed grep cut paste date sleep tee; do command -v "$tool" >/dev/null || missing="$missing $tool"; done
echo "$missing"; [ -z "$missing" ]
"#;

/// Lets every refusal be a failure, and says which it was.
const PRELUDE: &str = r#"
curl() {
    command curl --noproxy '*' --silent --show-error --fail-with-body "$@" || { echo "refused: curl $*" | tee -a refused >&2; return 22; }
}
"#;

#[test]
fn every_operation_has_a_line() {
    let (guide, document) = (read("docs/api.md"), read("boltlink-server/openapi.json"));
    let document: Value = serde_json::from_str(&document).unwrap();
    let mut operations = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let (id, method) = (operation["operationId"].as_str().unwrap(), method.to_uppercase());
            let heading = format!("`{id}`: `{method} {path}`");
            let at = guide.find(&heading).unwrap_or_else(|| panic!("docs/api.md does not say {heading}"));
            // Up to the next section.
            let section = guide[at..].split("\n#").next().unwrap_or_default();
            let url = format!("\"$URL{}", path.replace("{id}", "$ID"));
            let does = |line: &str| {
                // What follows the path must be its end.
                let called = line.split_once(&url).is_some_and(|(_, rest)| rest.starts_with(['"', '?']));
                let as_is = match &*method {
                    "GET" => !line.contains("-X ") && !line.contains("-d "),
                    "POST" => !line.contains("-X ") && line.contains("-d "),
                    _ => line.contains(&format!("-X {method} ")),
                };
                line.contains("curl ") && called && as_is
            };
            let lines: Vec<_> = blocks(section).map(|(_, block)| block.replace("\\\n", " ")).collect();
            assert!(lines.iter().flat_map(|block| block.lines()).any(does), "docs/api.md has no line for {heading}");
            operations += 1;
        }
    }
    assert!(operations >= 18, "{operations}");
}

#[test]
fn every_link_between_files_leads_somewhere() {
    let mut pages: Vec<PathBuf> = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md"].map(root).into();
    let docs = fs::read_dir(root("docs")).unwrap().map(|entry| entry.unwrap().path());
    pages.extend(docs.filter(|path| path.extension().is_some_and(|ending| ending == "md")));
    pages.push(root("examples/clients/README.md"));
    let mut followed = 0;
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for link in links(&text).filter(|link| !link.contains("://")) {
            let (file, heading) = link.split_once('#').map_or((link, None), |(file, heading)| (file, Some(heading)));
            let leads_to = if file.is_empty() { page.clone() } else { page.with_file_name(file) };
            assert!(leads_to.exists(), "{} has a link to {link}", page.display());
            if let Some(heading) = heading {
                let there = headings(&fs::read_to_string(&leads_to).unwrap());
                assert!(there.contains(heading), "{} has a link to {link}; there are {there:?}", page.display());
            }
            followed += 1;
        }
    }
    assert!(followed > 10, "{followed}");
}

/// The names by which GitHub and mdBook know the headings of a page.
fn headings(page: &str) -> BTreeSet<String> {
    let name = |line: &str| {
        let kept =
            line.trim_start_matches('#').trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    // What begins so within a block of code is a remark.
    let text = page.split("```").step_by(2).flat_map(str::lines);
    text.filter(|line| line.starts_with('#')).map(name).collect()
}

#[test]
fn the_site_has_every_page() {
    let summary = read("docs/SUMMARY.md");
    let named: BTreeSet<_> = links(&summary).map(str::to_owned).collect();
    let pages = fs::read_dir(root("docs")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let pages: BTreeSet<_> = pages.filter(|name| name.ends_with(".md") && name != "SUMMARY.md").collect();
    assert_eq!(named, pages);
}

/// What stands in parentheses behind brackets.
fn links(page: &str) -> impl Iterator<Item = &str> {
    page.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

/// The blocks of a page that are marked as `sh`, each with the number of its first line.
fn blocks(page: &str) -> impl Iterator<Item = (usize, &str)> {
    page.match_indices("```sh\n").map(|(at, fence)| {
        let (before, rest) = page.split_at(at + fence.len());
        let end = rest.find("```").unwrap_or_else(|| panic!("a block has no end:\n{rest}"));
        (before.lines().count() + 1, &rest[..end])
    })
}

/// Runs a script, which ends at the first command that fails and at the first variable that is not set.
fn shell(script: &str, directory: &Path, variables: &[(&str, String)]) -> Output {
    let mut command = Command::new("sh");
    command.arg("-eu").current_dir(directory).envs(variables.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().unwrap_or_else(|error| panic!("this needs sh in the PATH: {error}"));
    // The pipe is closed behind the script, which is its end.
    running.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    running.wait_with_output().unwrap()
}

fn told(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text)).join("\n")
}

fn read(name: &str) -> String {
    // As Git checks it out on Windows, too.
    fs::read_to_string(root(name)).unwrap().replace("\r\n", "\n")
}

/// A file of the repository.
fn root(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}
