//! What is read in part or not at all.

use super::*;
use crate::Seen;

#[tokio::test]
async fn of_a_huge_text_the_beginning_is_read() {
    let database = shop(
        "CREATE TABLE doc (id int PRIMARY KEY, body text, code varchar, fixed char(5), kept text);
         INSERT INTO doc VALUES (1, repeat('é', 3000000), repeat('x', 1048577), 'ab', repeat('y', 1048576));
         CREATE TABLE keyless (body text); INSERT INTO keyless VALUES (repeat('z', 2000000)), (repeat('z', 2000001))",
    )
    .await;
    let (entities, summary) = read(&database, &[]).await.unwrap();
    assert_eq!(summary.skipped.count(), 0);
    let row = &entities[1];
    let (body, code) = ("é".repeat(262_144), "x".repeat(262_144));
    assert!(row.text.starts_with(&format!("id: 1\nbody: {body}...\ncode: {code}...\nfixed: ab   \nkept: yyy")));
    assert_eq!(row.text.len(), 1024 * 1024);
    // The fields stand in the first chunk alone.
    assert_eq!((row.fields["body"].as_str().unwrap().len(), &row.fields["fixed"]), (8 * 1024 + 3, &json!("ab   ")));
    // What differs beyond the bound is not told apart, but counted.
    let ids: Vec<_> = ids(&entities[3..]).iter().map(|id| id.rsplit_once('-').unwrap().1.to_owned()).collect();
    assert_eq!(ids, ["0", "1"]);
}

#[tokio::test]
async fn a_row_that_cannot_be_taken_is_told_by_its_key_or_by_its_table() {
    // Five columns whose beginnings together exceed what is read of a row.
    let wide = "repeat('x', 1000000) AS a, repeat('x', 1000000) AS b, repeat('x', 1000000) AS c,
                repeat('x', 1000000) AS d, repeat('x', 1000000) AS e";
    let database = shop(&format!(
        "CREATE TABLE keyed AS SELECT 7 AS id, {wide}; ALTER TABLE keyed ADD PRIMARY KEY (id);
         CREATE TABLE keyless AS SELECT {wide}"
    ))
    .await;
    let (entities, summary) = read(&database, &[]).await.unwrap();
    assert_eq!(ids(&entities), ["shop.keyed", "shop.keyless"]);
    let told: Vec<_> = summary.skipped.told().iter().map(|told| (&*told.entity_id, &*told.reason)).collect();
    assert_eq!(
        told,
        [
            ("shop.keyed/[7]", "it is larger than 4 MiB"),
            ("shop.keyless", "one of its rows, which have no primary key, is larger than 4 MiB"),
        ]
    );
    assert_eq!(summary.seen, Seen::Everything);
}

#[tokio::test]
async fn a_gigantic_value_does_not_end_the_run() {
    let database = shop(
        "CREATE TABLE doc (id int PRIMARY KEY, body text, raw bytea);
         ALTER TABLE doc ALTER body SET STORAGE EXTENDED;
         INSERT INTO doc VALUES (1, repeat('x', 400000000), NULL), (2, 'small', NULL),
                                (3, NULL, convert_to(repeat('y', 50000000), 'UTF8'))",
    )
    .await;
    let (entities, summary) = read(&database, &[]).await.unwrap();
    assert_eq!((entities.len(), summary.skipped.count()), (4, 0));
    assert_eq!(entities[3].fields["raw"]["bytes"], 50_000_000);
}

#[tokio::test]
async fn a_table_that_may_not_be_read_is_counted_and_what_is_known_of_it_stays() {
    let role = format!("half_reader_{}", std::process::id());
    let database = shop(&format!(
        r#"CREATE TABLE open (id int PRIMARY KEY); CREATE TABLE "clo.sed" (id int PRIMARY KEY); INSERT INTO open VALUES (1);
           CREATE ROLE {role} LOGIN PASSWORD 'reader'; GRANT USAGE ON SCHEMA shop TO {role};
           GRANT SELECT ON open TO {role}"#
    ))
    .await;
    let credentials = changed(changed(credentials(&database), "user", role.as_str()), "password", "reader");
    let config = json!({"schema": "shop", "tables": []});
    let (outcome, entities) = run_with(&credentials, &config, 1, collect).await;
    database.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
    let summary = outcome.unwrap();
    assert_eq!((entities.len(), summary.skipped.count()), (2, 1));
    assert!(!summary.seen.means_gone("shop.clo%2Esed") && !summary.seen.means_gone("shop.clo%2Esed/[1]"));
    for gone in ["shop.open/[2]", "shop.clo%2Esed2", "shop.clo", "other.clo%2Esed"] {
        assert!(summary.seen.means_gone(gone), "{gone}");
    }
}

#[tokio::test]
async fn a_sync_sees_the_rows_that_policies_let_its_role_see() {
    let role = format!("policy_reader_{}", std::process::id());
    let database = shop(&format!(
        "CREATE TABLE note (id int PRIMARY KEY, owner text); INSERT INTO note VALUES (1, 'me'), (2, 'other');
         CREATE ROLE {role} LOGIN PASSWORD 'reader'; GRANT USAGE ON SCHEMA shop TO {role};
         ALTER ROLE {role} SET row_security = off; GRANT SELECT ON note TO {role};
         ALTER TABLE note ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON note USING (owner = 'me')"
    ))
    .await;
    let (all, _) = read(&database, &[]).await.unwrap();
    let credentials = changed(changed(credentials(&database), "user", role.as_str()), "password", "reader");
    let (outcome, entities) = run_with(&credentials, &json!({"schema": "shop", "tables": []}), 1, collect).await;
    database.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
    assert_eq!(ids(&all), ["shop.note", "shop.note/[1]", "shop.note/[2]"]);
    assert_eq!(ids(&entities), ["shop.note", "shop.note/[1]"]);
    assert_eq!(outcome.unwrap().seen, Seen::Everything);
}

#[tokio::test]
async fn policies_and_views_find_what_they_find_in_any_session_of_the_role() {
    let role = format!("path_reader_{}", std::process::id());
    let database = shop(&format!(
        "CREATE SCHEMA lookup; CREATE TABLE lookup.member (who text); INSERT INTO lookup.member VALUES ('{role}');
         CREATE TABLE note (id int PRIMARY KEY, n text); INSERT INTO note VALUES (1, 'seen');
         CREATE FUNCTION shop.is_member() RETURNS bool LANGUAGE plpgsql STABLE AS
         $$ BEGIN RETURN '31/12/2023'::date < now() AND EXISTS (SELECT 1 FROM member WHERE who = current_user); END $$;
         CREATE FUNCTION lookup.octet_length(text) RETURNS int LANGUAGE sql AS 'SELECT 99999999';
         CREATE FUNCTION lookup.not_ours(int, int) RETURNS bool LANGUAGE sql AS 'SELECT false';
         CREATE OPERATOR lookup.<= (FUNCTION = lookup.not_ours, LEFTARG = int, RIGHTARG = int);
         ALTER TABLE note ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON note USING (shop.is_member());
         CREATE VIEW through_function AS SELECT shop.is_member() AS is_member;
         CREATE ROLE {role} LOGIN PASSWORD 'reader'; ALTER ROLE {role} SET search_path = lookup, pg_catalog;
         ALTER ROLE {role} SET datestyle = 'German, DMY';
         GRANT USAGE ON SCHEMA shop, lookup TO {role};
         GRANT SELECT ON ALL TABLES IN SCHEMA shop, lookup TO {role}"
    ))
    .await;
    let credentials = changed(changed(credentials(&database), "user", role.as_str()), "password", "reader");
    let config = json!({"schema": "shop", "tables": ["note", "through_function"]});
    let (outcome, entities) = run_with(&credentials, &config, 1, collect).await;
    database.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
    assert_eq!(outcome.unwrap(), ReadSummary::everything());
    assert_eq!(ids(&entities)[..2], ["shop.note", "shop.note/[1]"]);
    assert_eq!(entities[3].fields["is_member"], json!(true));
}

#[tokio::test]
async fn views_and_foreign_tables_are_read_if_they_are_named() {
    let database = shop(
        "CREATE TABLE item (id int PRIMARY KEY, name text); INSERT INTO item VALUES (1, 'one'), (2, 'two');
         CREATE VIEW names AS SELECT name FROM item;
         CREATE MATERIALIZED VIEW stored AS SELECT id FROM item;
         CREATE EXTENSION IF NOT EXISTS file_fdw SCHEMA public;
         CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
         CREATE FOREIGN TABLE far (line text) SERVER files OPTIONS (program 'echo far away')",
    )
    .await;
    let (all, summary) = read(&database, &[]).await.unwrap();
    assert_eq!((all.len(), &summary.seen), (3, &Seen::Everything));
    for (table, kind, rows) in [("names", "view", 2), ("stored", "materialized view", 2), ("far", "foreign table", 1)] {
        let (entities, _) = read(&database, &[table]).await.unwrap();
        assert_eq!(entities[0].fields["kind"], kind);
        assert_eq!(entities.len(), 1 + rows, "{table}");
    }
}

#[tokio::test]
async fn a_table_that_fails_costs_itself_and_where_all_fail_the_run_does() {
    let database = shop(
        "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (0);
         CREATE VIEW broken AS SELECT 1 / id AS x FROM t",
    )
    .await;
    let (entities, summary) = read(&database, &["broken", "t"]).await.unwrap();
    assert_eq!(ids(&entities), ["shop.broken", "shop.t", "shop.t/[0]"]);
    let told = &summary.skipped.told()[0];
    assert_eq!((&*told.entity_id, &*told.reason), ("shop.broken", "could not be read for now: division by zero"));
    assert!(!summary.seen.means_gone("shop.broken/x") && summary.seen.means_gone("shop.t/[1]"));

    let error = read(&database, &["broken"]).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, SourceError::Failed(_)) && text.ends_with("division by zero (table 'broken')"), "{text}");
}

#[tokio::test]
async fn many_tables_are_read() {
    let database = shop(
        "DO $$ BEGIN FOR n IN 1..300 LOOP
           EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY); INSERT INTO t%s VALUES (1)', n, n);
         END LOOP; END $$",
    )
    .await;
    assert_eq!(read(&database, &[]).await.unwrap().0.len(), 600);
}

#[tokio::test]
async fn a_server_that_is_not_allowed_is_not_even_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let credentials = json!({
        "host": "127.0.0.1", "port": port, "database": "d", "user": "u", "password": "p", "sslmode": "disable",
    });
    let limits = SourceAccess::for_tests(|settings| settings.postgresql.hosts = "db.example.com".parse().unwrap());
    let config = json!({"schema": "shop", "tables": []});
    let (sink, _entities) = EntitySink::new(1);
    let (config, credentials) = (config.as_object().unwrap(), credentials.as_object().unwrap());
    let error = run("postgresql", config, credentials, &limits, None, sink).await.unwrap_err();
    assert_eq!(error.to_string(), format!("host '127.0.0.1', port {port}, is not allowed on this worker"));
    assert!(tokio::time::timeout(Duration::from_millis(50), listener.accept()).await.is_err());
}
