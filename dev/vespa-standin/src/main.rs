//! `vespa-standin`: starts the server and stops it on SIGTERM or SIGINT.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use vespa_standin::http::Server;
use vespa_standin::tensor::Dimensions;

/// A small server that speaks the part of Vespa's HTTP API that Unweave uses
#[derive(Debug, Parser)]
#[command(version)]
struct Settings {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, env = "STANDIN_LISTEN", default_value = "127.0.0.1:8081")]
    listen: SocketAddr,
    /// Folder for the documents
    #[arg(long, env = "STANDIN_DATA")]
    data: PathBuf,
    /// File to write the port to, once listening
    #[arg(long, env = "STANDIN_PORT_FILE")]
    port_file: Option<PathBuf>,
    /// How many numbers the vectors in `dense_embedding` have
    #[arg(long, env = "EMBEDDING_DIMENSIONS", default_value_t = 1536, value_parser = clap::value_parser!(u16).range(1..))]
    embedding_dimensions: u16,
}

fn main() -> anyhow::Result<()> {
    let settings = Settings::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start runtime")?;
    runtime.block_on(run(settings))
}

async fn run(settings: Settings) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let dimensions = Dimensions::new(settings.embedding_dimensions).context("no dimensions")?;
    let server = Server::start(settings.listen, &settings.data, dimensions).await?;
    let address = server.address();
    if let Some(file) = &settings.port_file {
        write_whole(file, &address.port().to_string()).with_context(|| format!("write {}", file.display()))?;
    }
    tracing::info!(%address, data = %settings.data.display(), "listening");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
    server.stop().await;
    Ok(())
}

/// Whoever waits for the file never reads half of it.
fn write_whole(file: &Path, text: &str) -> std::io::Result<()> {
    let staging = file.with_extension("writing");
    std::fs::write(&staging, text)?;
    std::fs::rename(&staging, file)
}
