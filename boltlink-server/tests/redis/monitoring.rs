//! What is given to those who watch the server: every name in it exists.

use std::{collections::BTreeSet, fs, path::Path};

use boltlink_testkit::Load;
use serde_json::Value;

use crate::{nodes::example, place::Place, settles_at};

fn deployed(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(path)).unwrap()
}

/// The names of metrics in an expression.
fn names(expression: &str) -> impl Iterator<Item = &str> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| ["boltlink_", "http_", "db_", "redis_", "process_"].iter().any(|head| word.starts_with(head)))
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_and_dashboards_ask_for_what_is_told() {
    let place = Place::new().await;
    let server = place.server().start().await.unwrap();
    let id = server.client().make(&example("seen")).await.unwrap();
    let tally = Load::new(server.address(), ["/seen"]).requests(20).start().finish().await;
    assert_eq!(tally.answered_with(302), 20);
    settles_at(&server.client(), &id, 20).await;
    let told = server.client().get("/metrics").await.unwrap().text;
    let told: BTreeSet<_> = told.lines().filter_map(|line| line.split(['{', ' ']).next()).collect();

    let alerts = deployed("prometheus/alerts.yml");
    let dashboard: Value = deployed("grafana/boltlink.json").parse().unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let queries: Vec<_> = targets.map(|target| target["expr"].as_str().unwrap()).collect();
    let expressions = alerts.lines().filter(|line| !line.contains("summary:"));
    let asked: BTreeSet<_> = expressions.chain(queries).flat_map(names).collect();
    let unknown: Vec<_> = asked.difference(&told).collect();
    assert!(asked.len() > 20 && unknown.is_empty(), "{unknown:?} of {told:?}");
}

#[test]
fn every_alert_has_its_section_in_the_runbook() {
    let runbook = include_str!("../../../docs/operations.md");
    let alerts = deployed("prometheus/alerts.yml");
    let field = |name: &str| alerts.lines().filter_map(|line| line.trim().strip_prefix(name)).collect::<Vec<_>>();
    let headings: BTreeSet<_> = runbook
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .map(|heading| heading.to_lowercase().replace(' ', "-"))
        .collect();
    let (alerts, runbooks) = (field("- alert: "), field("runbook: "));
    assert!(alerts.len() > 10 && alerts.len() == runbooks.len());
    for (alert, link) in alerts.iter().zip(runbooks) {
        let (_, heading) = link.rsplit_once('#').unwrap();
        assert!(headings.contains(heading), "{alert} leads to #{heading}");
        assert!(runbook.contains(&format!("`{alert}`")), "nothing is said of {alert}");
    }
}
