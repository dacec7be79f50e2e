//! Tests of the whole system: real services, real PostgreSQL and RabbitMQ, the Vespa stand-in. Names say the property and
//! the invariant (DEL-n) that it belongs to; docs/reliability.md lists the change to our code that makes each one fail.

mod compose;
