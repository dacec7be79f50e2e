//! A virtual host per test.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use shared_messaging::operator::Operator;
use url::Url;
use uuid::Uuid;

use crate::management::Management;

/// An empty virtual host; deleted with this value.
#[derive(Debug)]
pub struct TestBroker {
    /// Where it is.
    pub amqp_url: String,
    /// Its name.
    pub vhost: String,
    management: Management,
}

/// A message as the broker holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct BrokerMessage {
    /// Its body.
    pub body: Vec<u8>,
    /// Its headers.
    pub headers: Map<String, Value>,
    /// Its other properties: `message_id`, `content_type`, `delivery_mode`, `type`.
    pub properties: Map<String, Value>,
    /// The exchange that it was published to.
    pub exchange: String,
    /// Its routing key.
    pub routing_key: String,
}

impl TestBroker {
    /// A new virtual host on the server of `AMQP_URL` and `RABBITMQ_MANAGEMENT_URL`.
    pub async fn create() -> Self {
        let management = Management::from_environment();
        let mut url: Url = crate::server("AMQP_URL").parse().expect("AMQP_URL is a URL");
        let vhost = format!("test-{}", Uuid::new_v4().simple());
        management.ask(Method::PUT, &["vhosts", &vhost], None).await;
        let all = json!({"configure": ".*", "write": ".*", "read": ".*"});
        let mut users = vec![management.user().to_owned(), url.username().to_owned()];
        users.retain(|user| !user.is_empty());
        users.dedup();
        for user in users {
            management.ask(Method::PUT, &["permissions", &vhost, &user], Some(all.clone())).await;
        }
        url.set_path(&vhost);
        Self { amqp_url: url.into(), vhost, management }
    }

    /// The messages that wait in a queue, or `None` if there is no such queue. Messages handed to a consumer and not
    /// yet acknowledged don't count.
    pub async fn queue_depth(&self, queue: &str) -> Option<u32> {
        let url = SecretString::from(self.amqp_url.clone());
        Operator::connect(&url).await.expect("the broker").depth(queue).await.expect("the depth")
    }

    /// The messages that wait in a queue; they stay there.
    pub async fn get_messages(&self, queue: &str) -> Vec<BrokerMessage> {
        let body = json!({"count": 1000, "ackmode": "ack_requeue_true", "encoding": "base64"});
        let got = self.management.ask(Method::POST, &["queues", &self.vhost, queue, "get"], Some(body)).await;
        let got = got.unwrap_or_else(|| panic!("no queue {queue}"));
        got.as_array().expect("a list").iter().map(BrokerMessage::read).collect()
    }

    /// Publishes bytes as they are. False if no queue took them, or the exchange isn't there yet.
    pub async fn publish_raw(&self, exchange: &str, routing_key: &str, body: &[u8], headers: &[(&str, &str)]) -> bool {
        let headers: Map<String, Value> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let message = json!({
            "properties": {"headers": headers, "delivery_mode": 2},
            "routing_key": routing_key,
            "payload": STANDARD.encode(body),
            "payload_encoding": "base64",
        });
        let exchange = if exchange.is_empty() { "amq.default" } else { exchange };
        let path = ["exchanges", &self.vhost, exchange, "publish"];
        match self.management.try_ask(Method::POST, &path, Some(message)).await {
            Ok(published) => published.is_some_and(|published| published["routed"] == json!(true)),
            Err(error) if error.contains("NOT_FOUND - no exchange") => false,
            Err(error) => panic!("RabbitMQ management: {error}"),
        }
    }

    /// The names of the open connections, as their clients gave them.
    pub async fn connections(&self) -> Vec<String> {
        self.list_connections().await.into_iter().map(|(_, client)| client).collect()
    }

    /// Closes every open connection whose client name contains `part`. Returns how many.
    pub async fn close_connections(&self, part: &str) -> usize {
        let mut connections = self.list_connections().await;
        connections.retain(|(_, client)| client.contains(part));
        for (name, _) in &connections {
            self.management.ask(Method::DELETE, &["connections", name], None).await;
        }
        connections.len()
    }

    /// The tags of a queue's consumers.
    pub async fn consumers(&self, queue: &str) -> Vec<String> {
        let listed = self.management.ask(Method::GET, &["consumers", &self.vhost], None).await.unwrap_or(Value::Null);
        let of_queue = listed.as_array().into_iter().flatten().filter(|one| one["queue"]["name"] == json!(queue));
        of_queue.map(|one| one["consumer_tag"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Declares a durable queue.
    pub async fn declare_queue(&self, queue: &str) {
        let durable = json!({"durable": true});
        self.management.ask(Method::PUT, &["queues", &self.vhost, queue], Some(durable)).await;
    }

    /// Deletes a queue with its messages.
    pub async fn delete_queue(&self, queue: &str) {
        self.management.ask(Method::DELETE, &["queues", &self.vhost, queue], None).await;
    }

    /// Limits a queue by policy, such as `{"max-length": 0, "overflow": "reject-publish"}`.
    pub async fn set_policy(&self, queue: &str, definition: Value) {
        let policy = json!({"pattern": format!("^{queue}$"), "definition": definition, "apply-to": "queues"});
        self.management.ask(Method::PUT, &["policies", &self.vhost, queue], Some(policy)).await;
    }

    /// Takes [`TestBroker::set_policy`] back.
    pub async fn delete_policy(&self, queue: &str) {
        self.management.ask(Method::DELETE, &["policies", &self.vhost, queue], None).await;
    }

    async fn list_connections(&self) -> Vec<(String, String)> {
        let listed = self.management.ask(Method::GET, &["vhosts", &self.vhost, "connections"], None).await;
        let listed = listed.unwrap_or(Value::Null);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let read = |one: &Value| (text(&one["name"]), text(&one["client_properties"]["connection_name"]));
        listed.as_array().into_iter().flatten().map(read).collect()
    }
}

impl BrokerMessage {
    fn read(message: &Value) -> Self {
        let text = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
        let payload = text("payload");
        let body = match text("payload_encoding").as_str() {
            "base64" => STANDARD.decode(payload).expect("base64"),
            _ => payload.into_bytes(),
        };
        let mut properties = message["properties"].as_object().cloned().unwrap_or_default();
        let headers = properties.remove("headers").and_then(|headers| headers.as_object().cloned()).unwrap_or_default();
        Self { body, headers, properties, exchange: text("exchange"), routing_key: text("routing_key") }
    }

    /// A header's text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.as_str()
    }
}

impl Drop for TestBroker {
    fn drop(&mut self) {
        let vhost = self.vhost.clone();
        crate::finish(async move {
            // A client of its own: the connections of the test's belong to the test's runtime.
            let _best_effort = Management::from_environment().try_ask(Method::DELETE, &["vhosts", &vhost], None).await;
        });
    }
}
