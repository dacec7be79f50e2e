//! Values that are odd: JSON that isn't everyone's, many digits, times far away.

use super::*;

#[tokio::test]
async fn json_that_others_refuse_is_found() {
    let database = shop(
        r#"CREATE TABLE event (id int PRIMARY KEY, payload json);
           INSERT INTO event VALUES
             (1, '{"msg": "fine"}'), (2, '{"msg": "cut \ud83d", "n": "caf\u00e9"}'), (3, '{"x": 1e400, "y": -1e-400}'),
             (4, '{"same": "first", "same": "second"}'), (5, '"nul \u0000 in it"'),
             (6, (repeat('[', 500) || '"needle"' || repeat(']', 500))::json), (7, '{"low \udc00": {"k\ud83d": true}}');
           CREATE TABLE keyless (payload json);
           INSERT INTO keyless VALUES ('{"msg": "cut \ud83d"}'), ('{"msg": "cut \ud83e"}')"#,
    )
    .await;
    let (entities, summary) = read(&database, &[]).await.unwrap();
    assert_eq!((entities.len(), summary), (1 + 7 + 1 + 2, ReadSummary::everything()));
    let row = |id: u8| entities.iter().find(|entity| entity.id == format!("shop.event/[{id}]")).unwrap();
    assert_eq!(row(1).fields["payload"], json!({"msg": "fine"}));
    assert_eq!(row(2).fields["payload"], json!({"msg": "cut \u{fffd}", "n": "café"}));
    assert_eq!(row(3).fields["payload"], json!({"x": "1e400", "y": "-1e-400"}));
    assert_eq!(row(4).fields["payload"], r#"{"same":"first","same":"second"}"#);
    assert_eq!(row(5).fields["payload"], "nul \u{fffd} in it");
    assert_eq!(row(7).fields["payload"], json!({"low \u{fffd}": {"k\u{fffd}": true}}));
    for (id, text) in [(2, "café"), (3, "1e400"), (4, "first"), (4, "second"), (6, "needle")] {
        assert!(row(id).text.contains(text), "{}", row(id).text);
    }
    assert_ne!(entities[9].id, entities[10].id);
}

#[tokio::test]
async fn every_digit_is_kept_wherever_it_is() {
    let database = shop(
        "CREATE TYPE pair AS (n numeric, t text); CREATE DOMAIN prices AS numeric[];
         CREATE TABLE v (id int PRIMARY KEY, list numeric[], j jsonb, raw json, pair pair, r numrange, d prices, e float8);
         INSERT INTO v VALUES (1, '{12345678901234567890.123456789, 1.10}', '{\"id\": 1234567890123456789012345}',
           '[0.1000000000000000055511151231257827]', (98765432109876543210.5, 'x'),
           '[1.00000000000000000001,2)', '{33333333333333333333.3}', 0.30000000000000004)",
    )
    .await;
    let (entities, _) = read(&database, &[]).await.unwrap();
    let row = &entities[1];
    for digits in [
        "12345678901234567890.123456789,1.10",
        "1234567890123456789012345",
        "0.1000000000000000055511151231257827",
        "98765432109876543210.5",
        "1.00000000000000000001",
        "33333333333333333333.3",
        "e: 0.30000000000000004",
    ] {
        assert!(row.text.contains(digits), "{digits}: {}", row.text);
    }
    assert_eq!(row.fields["list"], json!(["12345678901234567890.123456789", 1.1]));
    assert_eq!(row.fields["j"], json!({"id": "1234567890123456789012345"}));
    assert_eq!(row.fields["e"], json!(0.300_000_000_000_000_04));
}

#[tokio::test]
async fn every_key_is_its_own() {
    let values = [
        ("jsonb", r#"'{"a": 18446744073709551617}', '{"a": 18446744073709551618}', '{"a": "18446744073709551617"}'"#),
        ("numeric", "1.00000000000000000001, 1.00000000000000000002, 'NaN', 1e300"),
        ("numeric[]", "'{18446744073709551617}', '{18446744073709551618}', '{}'"),
        ("float8", "0.1, 0.10000000000000002, 'NaN', 'Infinity', 1e22, 1e-300, 5e-324"),
        ("float4", "0.1, 0.10000001, 16777216"),
        (
            "timestamp",
            "'infinity', '-infinity', '0044-03-15 BC', '0044-03-15', '12024-01-01', '2024-01-01 00:00:00.000001'",
        ),
        ("timestamptz", "'2024-01-01 00:00:00+02', '2024-01-01 00:00:00+01', '0001-01-01 00:00:00+00 BC'"),
        ("bytea", r"'\x00', '\x0000', '\xff', ''"),
        ("bytea[]", r#"'{"\\x00"}', '{"\\xff"}'"#),
        ("interval", "'1 day', '1 month', '24:00:01'"),
        ("int8", "9223372036854775807, 9223372036854775806"),
    ];
    let tables: String = values
        .iter()
        .enumerate()
        .map(|(number, (type_name, values))| {
            let keys = values.replace(", ", "), (");
            format!("CREATE TABLE k{number} (id {type_name} PRIMARY KEY); INSERT INTO k{number} VALUES ({keys});")
        })
        .collect();
    let database = shop(&tables).await;
    let (entities, summary) = read(&database, &[]).await.unwrap();
    assert_eq!(summary, ReadSummary::everything());
    let mut ids = ids(&entities);
    ids.sort_unstable();
    ids.dedup();
    let keys: usize = values.iter().map(|(_, values)| values.split(", ").count()).sum();
    assert_eq!(ids.len(), values.len() + keys);
}

#[tokio::test]
async fn times_that_clients_cannot_read_are_none_and_their_text_stays() {
    let database = shop(
        "CREATE TABLE t (id int PRIMARY KEY, created_at timestamptz, updated_at timestamp);
         INSERT INTO t VALUES (1, '9999-12-31 23:59:59.999999+00', '0001-01-01'),
           (2, '9999-12-31 23:59:59-05', '0044-03-15 BC'), (3, '12024-05-01', '294276-12-31'),
           (4, 'infinity', '-infinity'), (5, '4713-01-01 BC', '0001-12-31 BC')",
    )
    .await;
    let (entities, summary) = read(&database, &[]).await.unwrap();
    assert_eq!((entities.len(), summary), (6, ReadSummary::everything()));
    assert_eq!(entities[1].created_at.unwrap().to_rfc3339(), "9999-12-31T23:59:59.999999+00:00");
    assert_eq!(entities[1].updated_at.unwrap().to_rfc3339(), "0001-01-01T00:00:00+00:00");
    for entity in &entities[2..] {
        assert_eq!((entity.created_at, entity.updated_at), (None, None), "{}", entity.id);
    }
    assert_eq!(entities[3].fields["updated_at"], "294276-12-31T00:00:00");
    assert!(entities[2].text.contains("0044-03-15T00:00:00 BC"), "{}", entities[2].text);
}
