//! Against a real RabbitMQ: `local-stack exec -- cargo test -p shared-messaging`. Each test has its own virtual host.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that can't go on panics"
)]

mod consuming;
mod dead;
mod fixture;
mod operating;
mod publishing;
mod raw;
