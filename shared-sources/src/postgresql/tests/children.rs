//! Children by `INHERITS`.

use super::*;

/// The words of the rows, from the text of each; in order.
fn notes(entities: &[SourceEntity]) -> Vec<&str> {
    let mut notes: Vec<&str> = entities.iter().filter_map(|entity| entity.fields.get("note")?.as_str()).collect();
    notes.sort_unstable();
    notes
}

#[tokio::test]
async fn rows_of_children_in_other_schemas_and_far_below_are_found_once() {
    let database = shop(
        "CREATE SCHEMA _chunks; CREATE SCHEMA deeper;
         CREATE TABLE metric (id int PRIMARY KEY, note text);
         CREATE TABLE _chunks.one (CHECK (id < 10)) INHERITS (metric);
         CREATE TABLE _chunks.two (more int) INHERITS (metric);
         CREATE TABLE deeper.three () INHERITS (_chunks.one);
         CREATE TABLE deeper.both () INHERITS (_chunks.one, _chunks.two);
         INSERT INTO metric VALUES (1, 'own'); INSERT INTO _chunks.one VALUES (1, 'one');
         INSERT INTO _chunks.two VALUES (2, 'two', 7); INSERT INTO deeper.three VALUES (3, 'three'), (3, 'three');
         INSERT INTO deeper.both VALUES (4, 'both')",
    )
    .await;
    let (entities, summary) = read(&database, &[]).await.unwrap();
    assert_eq!(summary, ReadSummary::everything());
    assert_eq!(notes(&entities), ["both", "one", "own", "three", "three", "two"]);
    let mut ids = ids(&entities);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 7, "each id is used once: {ids:?}");
}

#[tokio::test]
async fn where_every_child_has_the_key_rows_are_known_by_it_and_by_their_child() {
    let database = shop(
        "CREATE SCHEMA _chunks; CREATE TABLE metric (id int, at int, note text, PRIMARY KEY (id, at));
         CREATE TABLE _chunks.one (PRIMARY KEY (at, id)) INHERITS (metric);
         CREATE TABLE _chunks.\"t/wo\" (PRIMARY KEY (id, at)) INHERITS (metric);
         INSERT INTO metric VALUES (1, 1, 'own'); INSERT INTO _chunks.one VALUES (1, 1, 'one');
         INSERT INTO _chunks.\"t/wo\" VALUES (1, 1, repeat('x', 1000))",
    )
    .await;
    let (entities, _) = read(&database, &[]).await.unwrap();
    let expected =
        ["shop.metric", "shop.metric/[1,1]", "shop.metric/_chunks.one/[1,1]", "shop.metric/_chunks.t%2Fwo/[1,1]"];
    assert_eq!(ids(&entities), expected);
    database.execute("ALTER TABLE shop.metric ADD COLUMN j json").await;
    database.execute("UPDATE _chunks.one SET j = to_json(repeat('x', 5000000))").await;
    let (_, summary) = read(&database, &[]).await.unwrap();
    assert_eq!(summary.skipped.told()[0].entity_id, "shop.metric/_chunks.one/[1,1]");
}

#[tokio::test]
async fn children_that_are_read_themselves_keep_their_rows_and_all_below_them() {
    let database = shop(
        "CREATE SCHEMA aside; CREATE TABLE top (id int PRIMARY KEY, note text);
         CREATE TABLE middle (more text) INHERITS (top); CREATE TABLE aside.low () INHERITS (middle);
         CREATE TABLE aside.beside () INHERITS (top);
         INSERT INTO top VALUES (1, 'top'); INSERT INTO middle VALUES (2, 'middle', 'm');
         INSERT INTO aside.low VALUES (3, 'low', 'l'); INSERT INTO aside.beside VALUES (4, 'beside')",
    )
    .await;
    let (entities, _) = read(&database, &[]).await.unwrap();
    assert_eq!(notes(&entities), ["beside", "low", "middle", "top"]);
    let low = entities.iter().find(|entity| entity.fields.get("note") == Some(&json!("low"))).unwrap();
    assert_eq!((low.breadcrumbs[0].name.as_str(), &low.fields["more"]), ("middle", &json!("l")));
    // Alone it is what it shows.
    assert_eq!(notes(&read(&database, &["top"]).await.unwrap().0), ["beside", "low", "middle", "top"]);
    assert_eq!(notes(&read(&database, &["middle"]).await.unwrap().0), ["low", "middle"]);
}

#[tokio::test]
async fn what_a_table_shows_of_a_child_counts_and_not_what_the_child_shows() {
    let role = format!("parents_reader_{}", std::process::id());
    let database = shop(&format!(
        "CREATE SCHEMA aside; CREATE TABLE top (id int PRIMARY KEY, note text, secret text);
         CREATE TABLE closed () INHERITS (top); CREATE TABLE filtered () INHERITS (top);
         CREATE TABLE aside.low () INHERITS (closed);
         CREATE TABLE half (id int PRIMARY KEY, note text, secret text); CREATE TABLE of_half () INHERITS (half);
         INSERT INTO closed VALUES (1, 'closed'); INSERT INTO filtered VALUES (1, 'filtered');
         INSERT INTO aside.low VALUES (1, 'low'); INSERT INTO of_half VALUES (1, 'of half', 'secret');
         CREATE ROLE {role} LOGIN PASSWORD 'reader'; GRANT USAGE ON SCHEMA shop TO {role};
         ALTER TABLE filtered ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON filtered USING (false);
         GRANT SELECT ON top, filtered, of_half TO {role}; GRANT SELECT (id, note) ON half TO {role}"
    ))
    .await;
    let as_role = changed(changed(credentials(&database), "user", role.as_str()), "password", "reader");
    let config = json!({"schema": "shop", "tables": []});
    let (outcome, entities) = run_with(&as_role, &config, 1, collect).await;
    database.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
    assert_eq!(notes(&entities), ["closed", "filtered", "low", "of half"]);
    assert_eq!(outcome.unwrap(), ReadSummary::everything());
    assert!(!format!("{entities:?}").contains("\"secret\": String(\"secret\")"));
}

#[tokio::test]
async fn a_temporary_child_of_another_session_is_none() {
    let database =
        shop("CREATE TABLE metric (id int PRIMARY KEY, note text); INSERT INTO metric VALUES (1, 'own')").await;
    let other = database.client().await;
    other.batch_execute("CREATE TEMPORARY TABLE passing () INHERITS (shop.metric)").await.unwrap();
    other.batch_execute("INSERT INTO passing VALUES (2, 'passing')").await.unwrap();
    let (entities, summary) = read(&database, &[]).await.unwrap();
    assert_eq!((ids(&entities), summary), (vec!["shop.metric", "shop.metric/[1]"], ReadSummary::everything()));
}

#[tokio::test]
async fn a_foreign_child_is_shown_by_its_table() {
    let database = shop(
        "CREATE EXTENSION IF NOT EXISTS file_fdw SCHEMA public; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
         CREATE TABLE archive (note text);
         CREATE FOREIGN TABLE far () INHERITS (archive) SERVER files OPTIONS (program 'echo far away');
         INSERT INTO archive VALUES ('near')",
    )
    .await;
    let (entities, summary) = read(&database, &[]).await.unwrap();
    assert_eq!((notes(&entities), summary), (vec!["far away", "near"], ReadSummary::everything()));
}
