//! The local stack: runs PostgreSQL, RabbitMQ, the Vespa stand-in and our services on a developer's machine.
//!
//! It installs nothing and needs no root. Everything it writes is below `.local`; every process it starts is its own
//! child, and none survives it, however it ends (see [`launch`]). It runs on Linux.

pub mod demo;
pub mod environment;
pub mod exec;
pub mod exit;
pub mod given;
pub mod http;
pub mod launch;
pub mod layout;
pub mod leftovers;
pub mod logs;
pub mod not_run;
pub mod options;
pub mod packages;
pub mod ports;
pub mod postgres;
pub mod probe;
pub mod processes;
pub mod rabbitmq;
pub mod secrets;
pub mod services;
pub mod stack;
pub mod supervisor;
pub mod terminal;
