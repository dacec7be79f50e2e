//! What tables and rows become.

use super::*;
use crate::tools::cut::tests::Counted;

#[tokio::test]
async fn tables_and_rows_become_entities() {
    let database = shop(
        "CREATE TABLE customer (id int PRIMARY KEY, name varchar(20) NOT NULL, note text,
                                created_at timestamptz, updated_at timestamp);
         COMMENT ON TABLE customer IS 'Who buys';
         INSERT INTO customer VALUES
           (1, 'Ada', NULL, '2024-05-01 12:00:00.5+02', '2024-05-02 08:00'), (2, ' ', 'x', 'infinity', NULL)",
    )
    .await;
    let (entities, summary) = read(&database, &[]).await.unwrap();
    assert_eq!(summary.skipped.count(), 0);
    assert_eq!(ids(&entities), ["shop.customer", "shop.customer/[1]", "shop.customer/[2]"]);

    let table = &entities[0];
    assert_eq!((table.class, table.name.as_str()), ("PostgreSQLTableEntity", "customer"));
    assert_eq!(
        table.text,
        "Table shop.customer\nWho buys\nid: integer\nname: character varying(20)\nnote: text\n\
         created_at: timestamp with time zone\nupdated_at: timestamp without time zone"
    );
    assert_eq!(table.fields["primary_key"], json!(["id"]));

    let ada = &entities[1];
    assert_eq!((ada.class, ada.name.as_str()), ("PostgreSQLRowEntity", "Ada"));
    assert_eq!(ada.breadcrumbs[0].entity_id, "shop.customer");
    assert_eq!(ada.fields["note"], Value::Null);
    assert!(ada.text.starts_with("id: 1\nname: Ada\ncreated_at: 2024-05-01T10:00:00.5+00:00\n"), "{}", ada.text);
    assert_eq!(ada.created_at.unwrap().to_rfc3339(), "2024-05-01T10:00:00.500+00:00");
    assert_eq!(ada.updated_at.unwrap().to_rfc3339(), "2024-05-02T08:00:00+00:00");
    let url: Url = database.url.parse().unwrap();
    let server = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    assert_eq!(ada.web_url, format!("postgresql://{server}/{}/shop.customer", database.name()));

    assert_eq!(entities[2].name, "customer 2");
    assert_eq!(entities[2].created_at, None);
}

#[tokio::test]
async fn every_type_is_readable_and_reads_the_same_under_other_settings() {
    let database = shop(
        "CREATE TYPE mood AS ENUM ('fine', 'bad');
         CREATE TYPE pair AS (a int, b text);
         CREATE DOMAIN price AS numeric(40, 10);
         CREATE DOMAIN dear_price AS price;
         CREATE TABLE kinds (
           id uuid PRIMARY KEY, flag bool, big bigint, dec numeric, domain dear_price, f float8, nan float4, note text,
           j json, jb jsonb, bytes bytea, d date, t time, iv interval, ts timestamptz, arr int[], mood mood,
           pair pair, ip inet, r int4range, ts_v tsvector, x xml, m money, b bit(3), p point);
         INSERT INTO kinds VALUES (
           '00000000-0000-0000-0000-000000000001', true, 9223372036854775807, 1e400,
           12345678901234567890.0123456789, 0.1, 'NaN', E'tab\\t\"quote\"', '{\"b\": 1, \"nul\": \"a\\u0000b\"}', '[1, {\"k\": null}]',
           '\\xdeadbeef', '2024-01-31', '12:00', '1 day 2 hours', '2024-01-31 12:00+00', '{1,NULL,3}', 'fine',
           ROW(1, 'x'), '10.0.0.1/8', '[1,5)', 'a fat cat', '<a/>', 12.5, B'101', '(1,2)')",
    )
    .await;
    let (entities, summary) = read(&database, &["kinds"]).await.unwrap();
    assert_eq!(summary.skipped.count(), 0);
    let fields = &entities[1].fields;
    assert_eq!(entities[1].id, "shop.kinds/[\"00000000-0000-0000-0000-000000000001\"]");
    assert_eq!(fields["big"], json!(i64::MAX));
    assert_eq!(fields["dec"].as_str().unwrap().len(), 401);
    assert_eq!(fields["domain"], "12345678901234567890.0123456789");
    assert_eq!(fields["f"], json!(0.1));
    assert_eq!(fields["nan"], "NaN");
    assert_eq!(fields["j"]["nul"], "a\u{fffd}b");
    assert_eq!(fields["jb"], json!([1, {"k": null}]));
    let hash = "5f78c33274e43fa9de5659265c1d917e25c03722dcb0b8d27db8d5feaa813953";
    assert_eq!(fields["bytes"], json!({"bytes": 4, "sha256": hash}));
    assert_eq!(fields["arr"], json!([1, null, 3]));
    assert_eq!(fields["pair"], json!({"a": 1, "b": "x"}));
    assert_eq!(fields["iv"], "P1DT2H");
    assert_eq!(fields["mood"], "fine");
    assert!(!entities[1].text.contains(hash));

    let name = database.name();
    database
        .execute(&format!(
            "ALTER DATABASE {name} SET timezone = 'Asia/Tokyo'; ALTER DATABASE {name} SET datestyle = 'German';
             ALTER DATABASE {name} SET intervalstyle = 'postgres'; ALTER DATABASE {name} SET extra_float_digits = -3;
             ALTER DATABASE {name} SET statement_timeout = '1h'"
        ))
        .await;
    let (again, _) = read(&database, &["kinds"]).await.unwrap();
    assert_eq!(format!("{entities:?}"), format!("{again:?}"));
}

#[tokio::test]
async fn rows_without_primary_key_have_ids_by_content_and_copies_are_kept_apart() {
    let database = shop(
        "CREATE TABLE log (line text, at int);
         INSERT INTO log VALUES ('same', 1), ('other', 1), ('same', 1), ('same', 2)",
    )
    .await;
    let (entities, summary) = read(&database, &[]).await.unwrap();
    assert_eq!(summary.skipped.count(), 0);
    let mut first = ids(&entities);
    assert_eq!(first.len(), 5);
    first.sort_unstable();
    first.dedup();
    assert_eq!(first.len(), 5, "each id is used once");

    // The order of rows on disk changes, ids don't.
    database.execute("UPDATE shop.log SET at = at WHERE line = 'other'").await;
    let (again, _) = read(&database, &[]).await.unwrap();
    let mut again = ids(&again);
    again.sort_unstable();
    assert_eq!(first, again);
}

#[tokio::test]
async fn odd_names_are_quoted_and_don_t_collide() {
    let database = shop("").await;
    database
        .execute(
            r#"CREATE SCHEMA "o""d.d";
               CREATE TABLE "o""d.d"."sel""ect; DROP" ("v" int, "t" int, "json" int, "copies" int, "c" int, "r" int,
                                                       "a""b'$1" text, "Straße" text, PRIMARY KEY ("t", "a""b'$1"));
               INSERT INTO "o""d.d"."sel""ect; DROP" VALUES (1, 2, 3, 4, 5, 6, 'x', 'y');
               CREATE TABLE "o""d.d"."no key" ("v" int, "json" int, "copies" text);
               INSERT INTO "o""d.d"."no key" VALUES (1, 2, 'three');
               CREATE TABLE "o""d.d"."none" (); INSERT INTO "o""d.d"."none" DEFAULT VALUES;
               INSERT INTO "o""d.d"."none" DEFAULT VALUES"#,
        )
        .await;
    let config = json!({"schema": "o\"d.d", "tables": []});
    let (outcome, entities) = run_with(&credentials(&database), &config, 1, collect).await;
    assert_eq!(outcome.unwrap().skipped.count(), 0);
    assert_eq!(entities.len(), 7);
    let odd = entities.iter().find(|entity| entity.id.contains("/[")).unwrap();
    assert_eq!(odd.id, r#"o"d%2Ed.sel"ect; DROP/[2,"x"]"#);
    assert_eq!(odd.fields["v"], 1);
    assert_eq!(odd.fields["Straße"], "y");
    let keyless = entities.iter().find(|entity| entity.fields.get("copies") == Some(&json!("three"))).unwrap();
    assert_eq!(keyless.fields["json"], 2);
    assert!(entities[0].web_url.ends_with("/o%22d.d.no%20key"), "{}", entities[0].web_url);
}

#[tokio::test]
async fn partitions_and_children_are_read_once() {
    let database = shop(
        "CREATE TABLE event (id int PRIMARY KEY) PARTITION BY RANGE (id);
         CREATE TABLE event_low PARTITION OF event FOR VALUES FROM (0) TO (10);
         CREATE TABLE event_high PARTITION OF event FOR VALUES FROM (10) TO (20);
         INSERT INTO event VALUES (1), (11);
         CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (extra int) INHERITS (parent);
         INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1, 2);
         CREATE VIEW looked_at AS SELECT * FROM parent",
    )
    .await;
    let (entities, _) = read(&database, &[]).await.unwrap();
    let tables: Vec<_> = entities.iter().filter(|entity| entity.class == "PostgreSQLTableEntity").collect();
    let names: Vec<_> = tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["child", "event", "parent"]);
    assert_eq!(entities.len(), 3 + 4);
    let (one, _) = read(&database, &["event_high"]).await.unwrap();
    assert_eq!(ids(&one), ["shop.event_high", "shop.event_high/[11]"]);
}

#[tokio::test]
async fn a_row_that_is_too_large_is_counted_and_the_rest_goes_on() {
    let database = shop(
        "CREATE TABLE doc (id int PRIMARY KEY, body text, j json);
         INSERT INTO doc VALUES (1, 'small', NULL), (2, 'wide', to_json(repeat('x', 5000000))),
           (3, 'wordy', to_json(repeat('long ', 300000)))",
    )
    .await;
    let counted = Counted::default();
    let _counting = metrics::set_default_local_recorder(&counted);
    let (entities, summary) = read(&database, &["doc"]).await.unwrap();
    assert_eq!(ids(&entities), ["shop.doc", "shop.doc/[1]", "shop.doc/[3]"]);
    assert_eq!(counted.texts(), [("postgresql".to_owned(), 1)]);
    assert_eq!(summary.skipped.count(), 1);
    assert_eq!(entities[2].text.len(), 1024 * 1024);
}

#[tokio::test]
async fn one_run_sees_one_state() {
    let database = shop(
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY);
         INSERT INTO a SELECT generate_series(1, 50); INSERT INTO b SELECT generate_series(1, 50)",
    )
    .await;
    let config = json!({"schema": "shop", "tables": []});
    let (outcome, count) = run_with(&credentials(&database), &config, 1, async |mut entities| {
        entities.recv().await.unwrap();
        database.execute("DELETE FROM shop.a; DELETE FROM shop.b").await;
        1 + collect(entities).await.len()
    })
    .await;
    outcome.unwrap();
    assert_eq!(count, 102);
}
