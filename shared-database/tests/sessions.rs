//! No session is asked whether it still works before it is used: one that is gone shows at its first statement, and is
//! replaced.

use shared_database::connections::Visibility;

use crate::fixture::Fixture;

#[tokio::test]
async fn reads_go_on_when_every_session_of_the_pool_is_gone() {
    let fixture = Fixture::new().await;
    let (connection, _) = fixture.connection().await;
    let view = || fixture.database.view_connection(fixture.organization, connection, Visibility::Live);
    for round in 0..30 {
        // Several sessions lie in the pool when the server ends them all.
        let (one, two, three) = tokio::join!(view(), view(), view());
        assert!([one, two, three].iter().all(|view| matches!(view, Ok(Some(_)))));
        fixture.test_database.disconnect_everyone().await;
        let seen = view().await;
        assert!(matches!(seen, Ok(Some(_))), "round {round}: {seen:?}");
    }
}
