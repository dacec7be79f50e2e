//! Allowed hours on days on which clocks change, minute by minute, on a real PostgreSQL.
//!
//! What is expected is written out in UTC, where no minute is left out and none comes twice, so it follows from no time
//! zone database. How many minutes are open says the same once more.

use test_support::TestDatabase;
use tokio_postgres::Client;

use super::{AllowedHours, DailyWindow, open_at};

/// A day on the wall.
struct Day {
    zone: &'static str,
    /// When it begins, in UTC.
    begins: &'static str,
    /// How long it is.
    minutes: i64,
    open: &'static [Open],
}

/// Allowed hours, when they are on that day, in UTC, and how many minutes that is.
type Open = (&'static str, &'static [&'static str], i64);

const DAYS: [Day; 7] = [
    // Summer time begins at 02:00, which is 03:00, and that is 01:00 in UTC.
    Day {
        zone: "Europe/Berlin",
        begins: "2026-03-28T23:00Z",
        minutes: 1380,
        open: &[
            ("always", &["28T23:00/29T22:00"], 1380),
            ("00:00-24:00", &["28T23:00/29T22:00"], 1380),
            ("02:00-03:00", &[], 0),
            ("02:15-02:45", &[], 0),
            ("02:30-04:00", &["29T01:00/29T02:00"], 60),
            ("01:30-02:30", &["29T00:30/29T01:00"], 30),
            ("01:00-02:00,03:00-04:00", &["29T00:00/29T02:00"], 120),
            ("22:00-06:00", &["28T23:00/29T04:00", "29T20:00/29T22:00"], 420),
            ("23:00-02:30", &["28T23:00/29T01:00", "29T21:00/29T22:00"], 180),
            ("02:30-01:30", &["28T23:00/29T00:30", "29T01:00/29T22:00"], 1350),
        ],
    },
    // Summer time ends at 03:00, which is 02:00 again, and that is 01:00 in UTC.
    Day {
        zone: "Europe/Berlin",
        begins: "2026-10-24T22:00Z",
        minutes: 1500,
        open: &[
            ("always", &["24T22:00/25T23:00"], 1500),
            ("00:00-24:00", &["24T22:00/25T23:00"], 1500),
            ("02:00-03:00", &["25T00:00/25T02:00"], 120),
            ("02:15-02:45", &["25T00:15/25T00:45", "25T01:15/25T01:45"], 60),
            ("02:30-04:00", &["25T00:30/25T01:00", "25T01:30/25T03:00"], 120),
            ("01:30-02:30", &["24T23:30/25T00:30", "25T01:00/25T01:30"], 90),
            ("01:00-02:00,03:00-04:00", &["24T23:00/25T00:00", "25T02:00/25T03:00"], 120),
            ("22:00-06:00", &["24T22:00/25T05:00", "25T21:00/25T23:00"], 540),
            ("23:00-02:30", &["24T22:00/25T00:30", "25T01:00/25T01:30", "25T22:00/25T23:00"], 240),
        ],
    },
    // At 02:00, which is 03:00, and that is 07:00 in UTC.
    Day {
        zone: "America/New_York",
        begins: "2026-03-08T05:00Z",
        minutes: 1380,
        open: &[
            ("02:00-03:00", &[], 0),
            ("02:30-04:00", &["08T07:00/08T08:00"], 60),
            ("01:30-02:30", &["08T06:30/08T07:00"], 30),
            ("22:00-06:00", &["08T05:00/08T10:00", "09T02:00/09T04:00"], 420),
        ],
    },
    // At 02:00, which is 01:00 again, and that is 06:00 in UTC.
    Day {
        zone: "America/New_York",
        begins: "2026-11-01T04:00Z",
        minutes: 1500,
        open: &[
            ("01:00-02:00", &["01T05:00/01T07:00"], 120),
            ("01:30-03:00", &["01T05:30/01T06:00", "01T06:30/01T08:00"], 120),
            ("00:30-01:30", &["01T04:30/01T05:30", "01T06:00/01T06:30"], 90),
            ("22:00-06:00", &["01T04:00/01T11:00", "02T03:00/02T05:00"], 540),
        ],
    },
    // At 02:00, which is 02:30: half an hour is left out. That is 15:30 in UTC.
    Day {
        zone: "Australia/Lord_Howe",
        begins: "2026-10-03T13:30Z",
        minutes: 1410,
        open: &[
            ("02:00-02:30", &[], 0),
            ("02:15-03:00", &["03T15:30/03T16:00"], 30),
            ("01:45-02:15", &["03T15:15/03T15:30"], 15),
            ("22:00-06:00", &["03T13:30/03T19:00", "04T11:00/04T13:00"], 450),
        ],
    },
    // At 02:00, which is 01:30 again: half an hour comes twice. That is 15:00 in UTC.
    Day {
        zone: "Australia/Lord_Howe",
        begins: "2026-04-04T13:00Z",
        minutes: 1470,
        open: &[
            ("01:30-02:00", &["04T14:30/04T15:30"], 60),
            ("01:45-02:15", &["04T14:45/04T15:00", "04T15:15/04T15:45"], 45),
            ("22:00-06:00", &["04T13:00/04T19:30", "05T11:30/05T13:30"], 510),
        ],
    },
    // No summer time.
    Day {
        zone: "Asia/Kolkata",
        begins: "2026-03-28T18:30Z",
        minutes: 1440,
        open: &[
            ("02:00-03:00", &["28T20:30/28T21:30"], 60),
            ("22:00-06:00", &["28T18:30/29T00:30", "29T16:30/29T18:30"], 480),
        ],
    },
];

fn hours(text: &str) -> AllowedHours {
    let window = |text: &str| {
        let numbers: Vec<u32> = text.split([':', '-']).map(|number| number.parse().unwrap()).collect();
        let second = |hour: usize, minute: usize| numbers[hour] * 3600 + numbers[minute] * 60;
        DailyWindow { from: second(0, 1), to: second(2, 3) }
    };
    let windows = text.split(',').filter(|text| *text != "always").map(window).collect();
    AllowedHours { windows, ..AllowedHours::default() }
}

/// The stretches of the day that are open, in UTC, and how many minutes they have. Each minute is asked of at one of
/// its seconds.
async fn open(client: &Client, day: &Day, hours: &AllowedHours, second: &str) -> (Vec<String>, i64) {
    let at = format!("(minute + interval '{second} seconds')");
    let is_open = open_at(&at, "unnest($1::int[], $2::int[])", "$3::text");
    let stretches = format!(
        "SELECT to_char(min(minute) AT TIME ZONE 'UTC', 'DD\"T\"HH24:MI/')
                    || to_char((max(minute) + interval '1 minute') AT TIME ZONE 'UTC', 'DD\"T\"HH24:MI'), count(*)
         FROM (SELECT minute, minute - row_number() OVER (ORDER BY minute) * interval '1 minute' AS stretch
               FROM generate_series(0, $5::bigint - 1) AS number,
                    LATERAL (SELECT $4::text::timestamptz + number * interval '1 minute' AS minute) AS at
               WHERE {is_open}) AS open
         GROUP BY stretch ORDER BY stretch"
    );
    let (from, to) = hours.bounds();
    let rows = client.query(&stretches, &[&from, &to, &day.zone, &day.begins, &day.minutes]).await.unwrap();
    (rows.iter().map(|row| row.get(0)).collect(), rows.iter().map(|row| row.get::<_, i64>(1)).sum())
}

#[tokio::test]
async fn an_hour_that_is_left_out_is_nobodys_and_one_that_comes_twice_is_twice_as_long() {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    for day in &DAYS {
        for (text, expected, minutes) in day.open {
            for second in ["0", "59.999999"] {
                let (stretches, sum) = open(&client, day, &hours(text), second).await;
                let what = format!("{text} in {} on the day from {}, second {second}", day.zone, day.begins);
                assert_eq!(stretches, *expected, "{what}");
                assert_eq!(sum, *minutes, "{what}");
            }
        }
    }
}

#[tokio::test]
async fn the_days_are_as_long_as_the_clock_makes_them() {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    for day in &DAYS {
        let of_day = "SELECT to_char($1::text::timestamptz AT TIME ZONE $2::text, 'HH24:MI'),
                             to_char(($1::text::timestamptz + $3::bigint * interval '1 minute') AT TIME ZONE $2::text,
                                     'HH24:MI')";
        let row = client.query_one(of_day, &[&day.begins, &day.zone, &day.minutes]).await.unwrap();
        assert_eq!((row.get(0), row.get(1)), ("00:00", "00:00"), "{} {}", day.zone, day.begins);
    }
}
