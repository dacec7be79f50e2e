//! Puts every source through every property, by one line for each. A source without a line doesn't compile.

macro_rules! conformance {
    ($($source:ident in $name:ident with $stand:ty;)+) => {
        const fn _every_source_is_put_through(source: $crate::Source) {
            match source {
                $($crate::Source::$source => {})+
            }
        }

        $(
            mod $name {
                use $crate::conformance::{logs, memory, properties, stand};

                type TheStand = $stand;

                #[test]
                fn the_stand_is_of_its_source() {
                    assert_eq!(<TheStand as stand::Stand>::SOURCE, $crate::Source::$source);
                }

                conformance!(@read a_second_run_yields_the_same, a_cancel_stops_reading_within_a_second,
                    a_cancel_does_not_wait_for_a_silent_server, what_cannot_be_read_is_a_gap_and_never_a_removal,
                    a_failing_server_fails_the_run_with_its_reason, an_empty_source_says_so);
                conformance!(@watch one_odd_entity_costs_one_entity_and_is_told_by_name, credentials_never_show);
                conformance!(@measure memory_stays_bounded_with_many_small_entities: Many,
                    memory_stays_bounded_with_one_huge_entity: OneHuge);
            }
        )+
    };
    (@read $($property:ident),+) => {
        $(
            #[tokio::test]
            async fn $property() {
                test_support::install_tls_provider();
                properties::$property::<TheStand>().await;
            }
        )+
    };
    (@watch $($property:ident),+) => {
        $(
            #[test]
            fn $property() {
                test_support::install_tls_provider();
                logs::Logs::watch(properties::$property::<TheStand>);
            }
        )+
    };
    (@measure $($property:ident: $load:ident),+) => {
        $(
            #[test]
            fn $property() {
                memory::measured::<TheStand>(module_path!(), stringify!($property), memory::Load::$load);
            }
        )+
    };
}

conformance! {
    Files in files with crate::files::tests::stand::FilesStand;
    Github in github with crate::github::tests::stand::GithubStand;
    Postgresql in postgresql with crate::postgresql::tests::stand::PostgresqlStand;
    S3 in s3 with crate::s3::tests::stand::S3Stand;
    Timed in timed with crate::testing::stand::TimedStand;
    Stub in stub with crate::testing::stand::StubStand;
    IncrementalStub in incremental_stub with crate::testing::stand::IncrementalStubStand;
    ExceptionStub in exception_stub with crate::testing::stand::ExceptionStubStand;
}
