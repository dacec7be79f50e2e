//! Tables that are changed as a whole while a run reads another one.

use super::*;

/// Three rows, by primary key.
fn table(name: &str) -> String {
    format!("CREATE TABLE {name} (id int PRIMARY KEY, note text); {};", rows(name))
}

fn rows(name: &str) -> String {
    format!("INSERT INTO {name} SELECT n, 'note ' || n FROM generate_series(1, 3) n")
}

/// Reads the schema `shop` or what is named, and changes it after the first table has begun: nothing of the others was
/// touched then.
async fn read_while(
    database: &TestDatabase,
    credentials: &Value,
    tables: &[&str],
    changes: &[&str],
) -> (Vec<SourceEntity>, ReadSummary) {
    let config = json!({"schema": "shop", "tables": tables});
    let (outcome, entities) = run_with(credentials, &config, 1, async |mut entities| {
        let first = entities.recv().await.unwrap();
        assert_eq!(first.id, "shop.a_first");
        for change in changes {
            database.execute(change).await;
        }
        let mut all = vec![first];
        all.extend(collect(entities).await);
        all
    })
    .await;
    (entities, outcome.unwrap())
}

/// A table that a run begins with, longer than what is under way at a time.
const FIRST: &str = "CREATE TABLE a_first (id int PRIMARY KEY); INSERT INTO a_first SELECT generate_series(1, 50);";

/// Holds a run of the schema to what it knew before; names the gaps.
async fn gaps_of(tables: &[&str], setup: &str, changes: &[&str]) -> Vec<String> {
    let made: String = tables.iter().map(|name| table(name)).collect();
    let database = shop(&format!("{FIRST} {made} {setup}")).await;
    let (before, summary) = read(&database, &[]).await.unwrap();
    assert_eq!(summary.skipped.count(), 0);
    let (after, summary) = read_while(&database, &credentials(&database), &[], changes).await;
    for known in ids(&before) {
        assert!(ids(&after).contains(&known) || !summary.seen.means_gone(known), "{known} is taken for gone");
    }
    assert!(summary.seen.means_gone("shop.a_first/[51]"), "what is gone elsewhere is gone");
    summary.skipped.told().iter().map(|told| told.entity_id.clone()).collect()
}

#[tokio::test]
async fn what_a_snapshot_lost_is_a_gap_and_never_gone() {
    let tables =
        ["filled_anew", "rewritten", "widened", "made_anew", "dropped", "renamed", "moved", "with_other_names"];
    let changes = [
        &format!("BEGIN; TRUNCATE shop.filled_anew; {}; COMMIT", rows("shop.filled_anew")),
        "ALTER TABLE shop.rewritten ALTER COLUMN id TYPE bigint",
        "ALTER TABLE shop.widened ADD COLUMN more uuid DEFAULT gen_random_uuid()",
        &format!("DROP TABLE shop.made_anew; {}", table("shop.made_anew")),
        "DROP TABLE shop.dropped",
        "ALTER TABLE shop.renamed RENAME TO another_name",
        "ALTER TABLE shop.moved SET SCHEMA public",
        "ALTER TABLE shop.with_other_names RENAME COLUMN note TO remark",
    ];
    let mut gaps = gaps_of(&tables, "", &changes).await;
    gaps.sort();
    let mut expected = tables.map(|name| format!("shop.{name}"));
    expected.sort();
    assert_eq!(gaps, expected);
}

#[tokio::test]
async fn each_leaf_of_a_partitioned_table_counts() {
    let partitioned = |name: &str| {
        format!(
            "CREATE TABLE {name} (id int PRIMARY KEY, note text) PARTITION BY RANGE (id);
             CREATE TABLE {name}_low PARTITION OF {name} FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (id);
             CREATE TABLE {name}_leaf PARTITION OF {name}_low FOR VALUES FROM (0) TO (10);
             CREATE TABLE {name}_high PARTITION OF {name} FOR VALUES FROM (10) TO (20);
             {}; INSERT INTO {name} VALUES (11, 'high');",
            rows(name)
        )
    };
    let setup = ["truncated", "replaced", "swapped", "detached", "dropped", "grown"].map(partitioned).join(" ");
    let fill = rows("shop.swapped_spare");
    let changes = [
        "BEGIN; TRUNCATE shop.truncated_leaf; INSERT INTO shop.truncated VALUES (1); COMMIT",
        "DROP TABLE shop.replaced_leaf;
         CREATE TABLE shop.replaced_leaf PARTITION OF shop.replaced_low FOR VALUES FROM (0) TO (10);
         INSERT INTO shop.replaced VALUES (1)",
        &format!(
            "{fill}; ALTER TABLE shop.swapped_low DETACH PARTITION shop.swapped_leaf;
             ALTER TABLE shop.swapped_low ATTACH PARTITION shop.swapped_spare FOR VALUES FROM (0) TO (10)"
        ),
        "ALTER TABLE shop.detached DETACH PARTITION shop.detached_low",
        "DROP TABLE shop.dropped_low",
        "CREATE TABLE shop.grown_more PARTITION OF shop.grown FOR VALUES FROM (20) TO (30);
         INSERT INTO shop.grown VALUES (21)",
    ];
    let spare = "CREATE TABLE swapped_spare (id int PRIMARY KEY, note text);";
    let gaps = gaps_of(&[], &format!("{setup} {spare}"), &changes).await;
    assert_eq!(gaps, ["shop.detached", "shop.dropped", "shop.replaced", "shop.swapped", "shop.truncated"]);
}

#[tokio::test]
async fn each_child_counts_wherever_it_is() {
    let family = |name: &str| {
        format!(
            "CREATE TABLE {name} (id int PRIMARY KEY, note text);
             CREATE TABLE aside.{name} () INHERITS ({name}); {};",
            rows(&format!("aside.{name}"))
        )
    };
    let setup = ["truncated", "made_anew", "let_go", "grown"].map(family).join(" ");
    let changes = [
        &format!("BEGIN; TRUNCATE aside.truncated; {}; COMMIT", rows("aside.truncated")),
        &format!(
            "DROP TABLE aside.made_anew; CREATE TABLE aside.made_anew () INHERITS (shop.made_anew); {}",
            rows("aside.made_anew")
        ),
        "ALTER TABLE aside.let_go NO INHERIT shop.let_go",
        "INSERT INTO aside.grown VALUES (4, 'more')",
    ];
    let gaps = gaps_of(&[], &format!("CREATE SCHEMA aside; {setup}"), &changes).await;
    assert_eq!(gaps, ["shop.let_go", "shop.made_anew", "shop.truncated"]);
}

#[tokio::test]
async fn what_takes_no_row_away_is_read() {
    let tables = ["compacted", "in_order", "indexed", "emptied", "wider"];
    let changes = [
        "VACUUM FULL shop.compacted",
        "CLUSTER shop.in_order USING in_order_pkey",
        "CREATE INDEX ON shop.indexed (note)",
        "DELETE FROM shop.emptied",
        "ALTER TABLE shop.wider ADD COLUMN more int DEFAULT 7",
    ];
    // Moved to another file, with every row in it.
    assert_eq!(gaps_of(&tables, "", &changes).await, ["shop.compacted", "shop.in_order"]);
}

#[tokio::test]
async fn what_a_view_reads_counts_as_well() {
    let base = "CREATE TABLE a_first (id int PRIMARY KEY); INSERT INTO a_first SELECT generate_series(1, 50);";
    let seen = "CREATE FUNCTION shop.noted() RETURNS SETOF shop.hidden LANGUAGE plpgsql STABLE AS
                $$ BEGIN RETURN QUERY SELECT * FROM shop.hidden; END $$;
                CREATE VIEW over_table AS SELECT * FROM base;
                CREATE VIEW over_function AS SELECT * FROM shop.noted();
                CREATE VIEW at_rest AS SELECT * FROM calm;
                CREATE MATERIALIZED VIEW stored AS SELECT * FROM calm;";
    let made = format!("{} {} {}", table("base"), table("hidden"), table("calm"));
    let database = shop(&format!("{base} {made} {seen}")).await;
    let changes = [
        &format!("BEGIN; TRUNCATE shop.base; {}; COMMIT", rows("shop.base")),
        &format!("BEGIN; TRUNCATE shop.hidden; {}; COMMIT", rows("shop.hidden")),
        "REFRESH MATERIALIZED VIEW shop.stored",
    ];
    let tables = ["a_first", "over_table", "over_function", "at_rest", "stored"];
    let (after, summary) = read_while(&database, &credentials(&database), &tables, &changes).await;
    let gaps: Vec<_> = summary.skipped.told().iter().map(|told| told.entity_id.as_str()).collect();
    assert_eq!(gaps, ["shop.over_function", "shop.over_table", "shop.stored"]);
    assert_eq!(ids(&after).iter().filter(|id| id.starts_with("shop.at_rest/")).count(), 3);
}

#[tokio::test]
async fn a_policy_that_lost_what_it_looks_up_hides_nothing_for_good() {
    let role = format!("member_{}", std::process::id());
    let database = shop(&format!(
        "{FIRST} {} CREATE TABLE member (who text); INSERT INTO member VALUES ('{role}');
         CREATE FUNCTION shop.is_member() RETURNS bool LANGUAGE plpgsql STABLE PARALLEL SAFE AS
         $$ BEGIN RETURN EXISTS (SELECT FROM shop.member WHERE who = current_user); END $$;
         CREATE ROLE {role} LOGIN PASSWORD 'reader'; ALTER ROLE {role} SET parallel_setup_cost = 0;
         ALTER ROLE {role} SET parallel_leader_participation = off;
         ALTER ROLE {role} SET parallel_tuple_cost = 0; ALTER ROLE {role} SET min_parallel_table_scan_size = 0;
         GRANT USAGE ON SCHEMA shop TO {role};
         ALTER TABLE secret ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON secret USING (shop.is_member());
         GRANT SELECT ON ALL TABLES IN SCHEMA shop TO {role}",
        table("secret")
    ))
    .await;
    let as_role = changed(changed(credentials(&database), "user", role.as_str()), "password", "reader");
    let refill = format!("BEGIN; TRUNCATE shop.member; INSERT INTO shop.member VALUES ('{role}'); COMMIT");
    let tables = ["a_first", "secret"];
    let (after, summary) = read_while(&database, &as_role, &tables, &[&refill]).await;
    database.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
    assert!(!ids(&after).contains(&"shop.secret/[1]") && !summary.seen.means_gone("shop.secret/[1]"), "{summary:?}");
}

#[tokio::test]
async fn a_table_that_was_read_is_not_held_until_the_run_ends() {
    let database = shop(&format!("{FIRST} {}", table("zebra"))).await;
    let config = json!({"schema": "shop", "tables": []});
    let (outcome, count) = run_with(&credentials(&database), &config, 1, async |mut entities| {
        let mut count = 0;
        while let Some(entity) = entities.recv().await {
            count += 1;
            if entity.id == "shop.zebra/[1]" {
                database.execute("SET lock_timeout = '10s'; ALTER TABLE shop.a_first ADD COLUMN more int").await;
            }
        }
        count
    })
    .await;
    assert_eq!((outcome.unwrap(), count), (ReadSummary::everything(), 51 + 4));
}
