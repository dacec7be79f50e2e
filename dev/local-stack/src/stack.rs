//! One stack: PostgreSQL, RabbitMQ and, if wanted, the Vespa stand-in and our services, as children of this process.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::given;
use crate::launch::Run;
use crate::options::{Options, Scope};
use crate::packages::Packages;
use crate::ports::Ports;
use crate::postgres;
use crate::processes::Processes;
use crate::rabbitmq::{self, BrokerPorts};
use crate::services::{self, Servers, Services};

/// How to reach what has been started.
#[derive(Debug, Clone, Default)]
pub struct Urls {
    /// PostgreSQL, as superuser.
    pub database: String,
    /// RabbitMQ, virtual host `/`.
    pub amqp: String,
    /// RabbitMQ's management API with user and password; unknown for a server that isn't ours.
    pub management: Option<String>,
    /// The services, if started.
    pub services: Option<Services>,
}

/// A stack. Call [`Stack::stop`] when done, also after a failed start; a stack that is dropped or whose process is
/// killed takes its children along, but not in order.
#[derive(Debug)]
pub struct Stack {
    run: Run,
    processes: Processes,
    options: Options,
    urls: Urls,
}

impl Stack {
    /// A stack of which nothing runs yet.
    ///
    /// # Errors
    /// When the guard cannot be started.
    pub fn new(options: Options) -> Result<Self> {
        let run = Run::begin(&options.environment)?;
        Ok(Self { run, processes: Processes::default(), options, urls: Urls::default() })
    }

    /// Starts everything and waits until it is ready; stops what runs when something fails.
    ///
    /// # Errors
    /// Says which part failed, with the end of its log.
    pub async fn start(options: Options) -> Result<Self> {
        let mut stack = Self::new(options)?;
        match stack.bring_up().await {
            Ok(()) => Ok(stack),
            Err(error) => {
                stack.stop().await;
                Err(error)
            }
        }
    }

    /// Starts everything and waits until it is ready. May be dropped half-way; [`Stack::stop`] then stops what runs.
    ///
    /// # Errors
    /// Says which part failed, with the end of its log.
    pub async fn bring_up(&mut self) -> Result<()> {
        let everything = self.options.scope == Scope::Everything;
        if everything {
            services::check_prerequisites(&self.options)?;
        }
        let mut ports = Ports::load(self.options.layout.data.join("ports.json"));
        let postgres_port = ports.take("postgres")?;
        let broker_ports = BrokerPorts::take(&mut ports)?;
        let service_ports = services::ServicePorts::take(&mut ports)?;
        ports.save()?;

        let stand_in = async {
            if everything {
                services::start_vespa(&self.run, &self.processes, &self.options, service_ports).await
            } else {
                Ok(String::new())
            }
        };
        let (database, broker, vespa) =
            tokio::try_join!(self.start_postgres(postgres_port), self.start_rabbitmq(broker_ports), stand_in)?;
        self.urls = Urls { database, amqp: broker.0, management: broker.1, services: None };
        if everything {
            let servers = Servers { database: &self.urls.database, amqp: &self.urls.amqp, vespa: &vespa };
            let started = services::start(&self.run, &self.processes, &self.options, servers, service_ports).await?;
            self.urls.services = Some(started);
        }
        Ok(())
    }

    async fn start_postgres(&self, port: u16) -> Result<String> {
        if let Some(url) = given::server(&self.options, "DATABASE_URL").await? {
            return Ok(url);
        }
        let Options { layout, environment, durability, progress, .. } = &self.options;
        let installed = self.packages().postgres().await?;
        let step = progress.begin("PostgreSQL");
        let url =
            postgres::start(&self.run, &self.processes, &installed, layout, environment, port, *durability).await?;
        step.done(&format!("on port {port}"));
        Ok(url)
    }

    async fn start_rabbitmq(&self, ports: BrokerPorts) -> Result<(String, Option<String>)> {
        let Options { layout, environment, progress, .. } = &self.options;
        if let Some(url) = given::server(&self.options, "AMQP_URL").await? {
            return Ok((url, environment.get("RABBITMQ_MANAGEMENT_URL").map(str::to_owned)));
        }
        let installed = self.packages().rabbitmq().await?;
        let step = progress.begin("RabbitMQ");
        let addresses = rabbitmq::start(&self.run, &self.processes, &installed, layout, environment, ports).await?;
        if self.options.scope == Scope::Everything {
            rabbitmq::apply_policies(&addresses, &layout.definitions()).await?;
        }
        step.done(&format!("on port {}", ports.amqp));
        Ok((addresses.amqp, Some(addresses.management)))
    }

    fn packages(&self) -> Packages<'_> {
        let Options { layout, environment, progress, ignore_system, .. } = &self.options;
        Packages { home: &layout.home, environment, run: &self.run, progress: *progress, ignore_system: *ignore_system }
    }

    /// How to reach it.
    #[must_use]
    pub fn urls(&self) -> &Urls {
        &self.urls
    }

    /// The run to which every further child belongs.
    #[must_use]
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// The children.
    #[must_use]
    pub fn processes(&self) -> &Processes {
        &self.processes
    }

    /// How it was started.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The process ids, by name.
    #[must_use]
    pub fn pids(&self) -> BTreeMap<String, u32> {
        self.processes.pids()
    }

    /// Stops everything, services first, and kills whatever any child has left behind.
    pub async fn stop(self) {
        services::stop(&self.processes).await;
        let durability = self.options.durability;
        tokio::join!(postgres::stop(&self.processes, durability), rabbitmq::stop(&self.processes, durability));
        self.run.end().await;
    }
}
