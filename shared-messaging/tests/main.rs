//! Against a real RabbitMQ: `local-stack exec -- cargo test -p shared-messaging`. Each test has its own virtual host.

mod consuming;
mod fixture;
mod operating;
mod publishing;
