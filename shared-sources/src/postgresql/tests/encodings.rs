//! Databases of other encodings, and bytes that have no meaning in them.

use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::*;

/// What is read of a database of this encoding.
async fn read_in(encoding: &str, sql: &str) -> (Vec<SourceEntity>, ReadSummary) {
    let database = TestDatabase::create().await;
    let other = format!("{}_{}", database.name(), encoding.to_lowercase());
    let options = format!("TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'");
    database.execute(&format!("CREATE DATABASE {other} {options}")).await;
    let mut url: Url = database.url.parse().unwrap();
    url.set_path(&other);
    let (client, connection) = tokio_postgres::connect(url.as_str(), tokio_postgres::NoTls).await.unwrap();
    let driving = AbortOnDropHandle::new(TaskTracker::new().spawn(connection));
    client.batch_execute(sql).await.unwrap();
    let credentials = changed(credentials(&database), "database", other.as_str());
    let (outcome, entities) = run_with(&credentials, &json!({"schema": "public", "tables": []}), 1, collect).await;
    drop((client, driving));
    database.execute(&format!("DROP DATABASE {other} WITH (FORCE)")).await;
    (entities, outcome.unwrap())
}

#[tokio::test]
async fn texts_are_read_in_the_databases_encoding() {
    let (entities, summary) = read_in(
        "LATIN1",
        "CREATE TABLE t (id int PRIMARY KEY, name text); INSERT INTO t VALUES (1, 'Käse'), (2, repeat('ü', 2000000))",
    )
    .await;
    assert_eq!(summary, ReadSummary::everything());
    assert_eq!(entities[1].name, "Käse");
    assert!(entities[2].text.contains("üü...\n"));

    let sql = "CREATE TABLE \"表\" (\"番\" text PRIMARY KEY, name text); COMMENT ON TABLE \"表\" IS '覚書';
               INSERT INTO \"表\" VALUES ('鍵', '日本語')";
    let (entities, summary) = read_in("EUC_JP", sql).await;
    assert_eq!(summary, ReadSummary::everything());
    assert_eq!(ids(&entities), ["public.表", "public.表/[\"鍵\"]"]);
    assert_eq!((&entities[0].fields["comment"], entities[1].name.as_str()), (&json!("覚書"), "日本語"));
}

#[tokio::test]
async fn a_byte_without_meaning_costs_itself() {
    let (entities, summary) = read_in(
        "SQL_ASCII",
        r#"CREATE TABLE a (id text PRIMARY KEY, n text, j json);
          INSERT INTO a VALUES (E'k\351', E'caf\351', NULL), (E'k\350', E'caf\303\251', E'{"x": "\351 caf\303\251"}'),
                               ('k', 'plain', NULL);
          CREATE TABLE b (n text); INSERT INTO b VALUES (E'\351'), (E'\350'), ('other')"#,
    )
    .await;
    assert_eq!((entities.len(), summary), (1 + 3 + 1 + 3, ReadSummary::everything()));
    let texts: Vec<_> = entities.iter().filter_map(|entity| entity.fields.get("n")?.as_str()).collect();
    for text in ["caf\u{fffd}", "café", "plain", "other"] {
        assert!(texts.contains(&text), "{texts:?}");
    }
    assert!(entities.iter().any(|entity| entity.text.contains("\u{fffd} café")));
    let mut ids = ids(&entities);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 8, "each id is used once");
}

#[tokio::test]
async fn what_the_server_cannot_convert_costs_nothing_else() {
    let table = "CREATE TABLE a (id int PRIMARY KEY, n text); CREATE TABLE b (id int PRIMARY KEY, n text);";
    let rows = |odd: &str| {
        format!("{table} INSERT INTO a VALUES (1, 'plain'), (2, E'odd {odd}'); INSERT INTO b VALUES (1, 'b')")
    };
    for (encoding, odd) in
        [("WIN1252", r"\201"), ("WIN1253", r"\322"), ("EUC_JP", r"\365\241"), ("EUC_KR", r"\376\376")]
    {
        let sql = format!("SET client_encoding = '{encoding}'; {}", rows(odd));
        let (entities, summary) = read_in(encoding, &sql).await;
        assert_eq!(summary, ReadSummary::everything(), "{encoding}");
        assert_eq!(ids(&entities), ["public.a", "public.a/[1]", "public.a/[2]", "public.b", "public.b/[1]"]);
        assert!(entities[2].text.contains("odd "), "{}", entities[2].text);
    }
    // Of this encoding nobody here reads the bytes: the server does, or not.
    let (entities, summary) =
        read_in("EUC_TW", &format!("SET client_encoding = 'EUC_TW'; {}", rows(r"\375\376"))).await;
    assert!(ids(&entities).contains(&"public.b/[1]"));
    assert_eq!((summary.skipped.told()[0].entity_id.as_str(), summary.skipped.count()), ("public.a", 1));
    assert!(!summary.seen.means_gone("public.a/[2]") && summary.seen.means_gone("public.b/[2]"));
}

#[tokio::test]
async fn a_name_that_is_no_text_costs_its_table() {
    let sql = "DO $$ BEGIN EXECUTE 'CREATE TABLE \"odd' || chr(233) || '\" (id int)'; END $$;
               CREATE TABLE b (id int PRIMARY KEY); INSERT INTO b VALUES (1);
               DO $$ BEGIN EXECUTE 'CREATE TABLE c (\"odd' || chr(233) || '\" int)'; END $$";
    let (entities, summary) = read_in("SQL_ASCII", sql).await;
    assert!(ids(&entities).contains(&"public.b/[1]"));
    let told: Vec<_> = summary.skipped.told().iter().map(|told| told.entity_id.as_str()).collect();
    assert_eq!(told, ["public.c", "public.odd\\udce9"]);
}
