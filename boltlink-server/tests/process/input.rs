//! Real input: the addresses of everything this project depends on.

use std::{collections::BTreeSet, process::Command};

use serde_json::Value;

use crate::server;

/// Homepages, repositories and documentation of the whole dependency tree, as their authors wrote them.
fn addresses() -> BTreeSet<String> {
    // Only what this platform needs: that has been fetched, or this test could not have been built.
    let rustc = Command::new("rustc").arg("-vV").output().unwrap();
    let about = String::from_utf8(rustc.stdout).unwrap();
    let host = about.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--locked", "--filter-platform", host])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let fields =
        packages.iter().flat_map(|package| ["homepage", "repository", "documentation"].map(|field| &package[field]));
    fields.filter_map(Value::as_str).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_address_leads_where_its_author_meant() {
    let addresses = addresses();
    assert!(addresses.len() > 300, "{} addresses", addresses.len());
    let mut server = server().start().await.unwrap();
    let list = server.data_dir().join("addresses.txt");
    std::fs::write(&list, addresses.iter().map(|address| format!("{address}\n")).collect::<String>()).unwrap();
    let import = server.command().arg("import").arg(&list).output().unwrap();
    assert!(import.status.success(), "{}", String::from_utf8_lossy(&import.stderr));

    let client = server.client();
    let (mut links, mut cursor) = (Vec::new(), None);
    loop {
        let query = cursor.map_or_else(String::new, |cursor: String| format!("&cursor={cursor}"));
        let page = client.get(&format!("/api/v1/links?limit=100{query}")).await.unwrap().expect(200).unwrap();
        links.extend(page["items"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    // Some are written in two ways; the normalised ones are the same link.
    let expected: BTreeSet<String> =
        addresses.iter().map(|address| url::Url::parse(address).unwrap().to_string()).collect();
    let targets: BTreeSet<String> = links.iter().map(|link| link["target"].as_str().unwrap().to_owned()).collect();
    assert_eq!(targets, expected);

    for link in &links {
        let found = client.get(&format!("/{}", link["slug"].as_str().unwrap())).await.unwrap();
        assert_eq!(found.status, 302);
        assert_eq!(found.header("location"), link["target"].as_str());
    }
    server.stop().await.unwrap();
    server.restart().await.unwrap();
    let client = server.client();
    for link in &links {
        assert_eq!(client.clicks(link["id"].as_str().unwrap()).await.unwrap(), 1, "{link}");
    }
    assert_eq!(client.rolled_up().await.unwrap(), links.len() as u64);
}
