//! Nothing is left out: the schema itself says what there is.

use std::collections::BTreeSet;

use boltlink_store_sql::copy::{COPIED, REBUILT};

use crate::ends::End;

/// Who adds a table has to say here what a copy does with it, and why: whoever leaves it out loses people's data.
#[tokio::test]
async fn every_table_is_copied_or_follows_from_others() {
    let mut known: BTreeSet<_> = COPIED.iter().chain(&REBUILT).map(|name| (*name).to_owned()).collect();
    for end in [End::sqlite(), End::postgres().await] {
        end.migrate().await;
        let tables: BTreeSet<_> = end.tables().await.into_iter().collect();
        for table in &tables {
            assert!(COPIED.contains(&table.as_str()) ^ REBUILT.contains(&table.as_str()), "{table} is not copied");
        }
        for table in COPIED {
            assert!(tables.contains(table), "{table} is missing in one of them");
        }
        known.retain(|table| !tables.contains(table));
    }
    assert!(known.is_empty(), "there are no such tables: {known:?}");
}

/// Else the rows of the two ends would not stand in the same order, and could not be compared.
#[tokio::test]
async fn texts_in_keys_are_compared_byte_by_byte() {
    let end = End::postgres().await;
    end.migrate().await;
    let others = "SELECT a.attrelid::regclass::text || '.' || a.attname FROM pg_index i \
                  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[]) \
                  WHERE i.indisprimary AND a.attcollation NOT IN (0, '\"C\"'::regcollation) \
                  AND a.attrelid::regclass::text = ANY ($$TABLES$$::text[])";
    let others = others.replace("TABLES", &format!("{{{}}}", COPIED.join(",")));
    assert!(end.texts(&others).await.is_empty());
}

/// Three rows in each table, with a value in every column and none in those that may have none: made of what the schema
/// says, so that a column that is added is filled too.
async fn fill(end: &End) {
    for table in COPIED {
        let columns = end
            .texts(&format!("SELECT name || ' ' || type || ' ' || \"notnull\" FROM pragma_table_info('{table}')"))
            .await;
        for row in 1..=3_i64 {
            let mut names = Vec::new();
            let mut values = Vec::new();
            for (at, column) in columns.iter().enumerate() {
                let mut parts = column.split(' ');
                let (name, kind, required) = (parts.next().unwrap(), parts.next().unwrap(), parts.next() == Some("1"));
                names.push(name);
                values.push(match kind {
                    _ if !required && row == 3 => "NULL".to_owned(),
                    "BLOB" => format!("x'00ff{row:04x}{at:024x}'"),
                    // What a text may be wherever there is one: tags must be a list.
                    "TEXT" => format!("'[\"{at} ü'' {row}\"]'"),
                    "SMALLINT" => format!("{}", 300 * row),
                    "INTEGER" => format!("{}", (i64::MAX / 7 - 1) * (row - 2) + at as i64),
                    "BOOLEAN" => (if row == 1 { "TRUE" } else { "FALSE" }).to_owned(),
                    kind => panic!("{table}.{name} is of type {kind}"),
                });
            }
            end.run(&format!("INSERT INTO {table} ({}) VALUES ({})", names.join(", "), values.join(", "))).await;
        }
    }
}

#[tokio::test]
async fn every_column_of_every_table_comes_along_both_ways() {
    let (first, second, third, fourth) = (End::sqlite(), End::postgres().await, End::postgres().await, End::sqlite());
    let fifth = End::sqlite();
    first.migrate().await;
    fill(&first).await;
    // A schema without contents is empty.
    third.migrate().await;
    fifth.migrate().await;
    for (from, to) in [(&first, &second), (&second, &third), (&third, &fourth), (&fourth, &fifth)] {
        let copied = from.copy_to(to).await.unwrap();
        assert!(!copied.resumed);
        for table in &copied.tables {
            assert_eq!(table.rows, 3, "{table:?}");
        }
        assert_eq!(copied.tables.len(), COPIED.len());
    }
    for table in COPIED {
        let rows = first.rows(table).await;
        assert_eq!(rows.len(), 3, "{table}");
        assert_eq!(fourth.rows(table).await, rows, "{table}");
        assert_eq!(fifth.rows(table).await, rows, "{table}");
        assert_eq!(third.rows(table).await, second.rows(table).await, "{table}");
    }
    // What follows from links follows from the copies, too.
    for table in ["link_tag", "link_document"] {
        assert_eq!(fifth.rows(table).await, first.rows(table).await, "{table}");
    }
    let found = "SELECT count(*) || '' FROM link_text WHERE link_text MATCH '\" ü''\"'";
    for end in [&first, &fifth] {
        assert_eq!(end.texts(found).await, ["3"]);
    }
    // Nothing of the copying stays.
    for end in [&second, &third, &fourth, &fifth] {
        assert!(end.texts("SELECT key FROM meta WHERE key LIKE 'copy%'").await.is_empty());
    }
}

#[tokio::test]
async fn a_character_that_postgres_does_not_keep_is_replaced() {
    let (first, second) = (End::sqlite(), End::postgres().await);
    first.migrate().await;
    first.run("INSERT INTO meta (key, value) VALUES ('odd', 'a' || char(0) || 'b')").await;
    first.copy_to(&second).await.unwrap();
    assert_eq!(second.texts("SELECT value FROM meta WHERE key = 'odd'").await, ["a\u{fffd}b"]);
}

#[tokio::test]
async fn single_clicks_are_put_in_the_partitions_of_their_days() {
    const DAY: i64 = 86_400_000_000;
    let (first, second) = (End::sqlite(), End::postgres().await);
    first.migrate().await;
    let click = |day: i64, id: u8| format!("(x'00', {}, x'{id:032x}', 1)", day * DAY + 5);
    let clicks = [click(20_000, 1), click(20_000, 2), click(20_003, 3), click(-1, 4)].join(", ");
    first
        .run(&format!("INSERT INTO click (link, at, id, weight) VALUES {clicks}").replace("x'00'", "zeroblob(16)"))
        .await;
    first.copy_to(&second).await.unwrap();
    let places = second.texts("SELECT DISTINCT tableoid::regclass::text FROM click ORDER BY 1").await;
    assert_eq!(places, ["click_20000", "click_20003", "click_default"]);
}

#[tokio::test]
async fn entries_of_the_audit_log_stay_as_they_are() {
    for end in [End::sqlite(), End::postgres().await] {
        end.migrate().await;
        end.run(&format!(
            "INSERT INTO audit (id, at, account, action, object, certain) VALUES ({id}, 0, {id}, 'link.created', 'x', TRUE)",
            id = match end {
                End::Sqlite(_) => "zeroblob(16)",
                End::Postgres(_) => "gen_random_uuid()",
            }
        ))
        .await;
        for forgery in ["UPDATE audit SET action = 'link.edited'", "DELETE FROM audit"] {
            let error = end.try_run(forgery).await.unwrap_err();
            assert!(error.to_string().contains("entries of the audit log are never"), "{error}");
        }
        assert_eq!(end.texts("SELECT action FROM audit").await, ["link.created"]);
    }
}
