//! The threads that a worker runs on.

use crate::support::World;

async fn threads(world: &World, settings: &[(&str, &str)]) -> f64 {
    let (_worker, admin) = world.ready_worker(settings).await;
    world.metric(&admin, "process_threads").await
}

#[tokio::test]
async fn a_worker_has_as_many_threads_as_its_setting_says() {
    let world = World::new().await;
    // With a blank, which the setting takes, and which tokio wouldn't if it read the variable itself.
    let (one, many) = (threads(&world, &[]).await, threads(&world, &[("TOKIO_WORKER_THREADS", "33 ")]).await);
    // Each has some more for what blocks, which come and go.
    assert!((24.0..=40.0).contains(&(many - one)), "{one} and {many}");
}
