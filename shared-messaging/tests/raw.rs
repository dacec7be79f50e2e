//! Messages on the wire, past our own publisher and consumers: any property, any header.

use std::collections::BTreeMap;

use lapin::options::{
    BasicGetOptions, BasicNackOptions, BasicPublishOptions, ConfirmSelectOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::uri::AMQPUri;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};

use crate::fixture::{BOUND, Fixture};

/// A channel of the test's own.
pub struct Raw {
    /// Who it is to the broker.
    pub user: String,
    channel: Channel,
    _connection: Connection,
}

/// A message as it was handed out.
pub struct Got {
    pub body: Vec<u8>,
    pub exchange: String,
    pub routing_key: String,
    pub properties: BasicProperties,
}

impl Got {
    pub fn headers(&self) -> BTreeMap<ShortString, AMQPValue> {
        self.properties.headers().as_ref().map(|headers| headers.inner().clone()).unwrap_or_default()
    }
}

impl Raw {
    pub async fn connect(fixture: &Fixture) -> Self {
        let uri: AMQPUri = fixture.server.amqp_url.parse().unwrap();
        let user = uri.authority.userinfo.username.clone();
        let connection = Connection::connect_uri(uri, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        Self { user, channel, _connection: connection }
    }

    #[expect(clippy::disallowed_methods, reason = "what others publish isn't published as ours is")]
    pub async fn publish(&self, exchange: &str, key: &str, body: &[u8], properties: BasicProperties) {
        let options = BasicPublishOptions::default();
        let sent = self.channel.basic_publish(exchange.into(), key.into(), options, body, properties).await;
        assert!(sent.unwrap().await.unwrap().is_ack());
    }

    /// The next message of a queue, once there is one. It goes back there.
    pub async fn get(&self, queue: &str) -> Got {
        let mut got = None;
        test_support::wait_until(&format!("{queue} holds a message"), BOUND, async || {
            got = self.channel.basic_get(queue.into(), BasicGetOptions::default()).await.unwrap();
            got.is_some()
        })
        .await;
        let got = got.unwrap();
        got.acker.nack(BasicNackOptions { requeue: true, multiple: false }).await.unwrap();
        let (exchange, routing_key) = (got.exchange.to_string(), got.routing_key.to_string());
        let mut properties = got.properties.clone();
        if let Some(headers) = properties.headers().clone() {
            let mut headers = headers.inner().clone();
            // A quorum queue adds it to what it hands out.
            headers.remove("x-delivery-count");
            properties = properties.with_headers(headers.into());
        }
        Got { body: got.data.clone(), exchange, routing_key, properties }
    }

    /// A queue of its own that hears everything of an exchange.
    pub async fn listen(&self, exchange: &str) -> String {
        let options = QueueDeclareOptions { exclusive: true, ..Default::default() };
        let declared = self.channel.queue_declare("".into(), options, FieldTable::default()).await.unwrap();
        let name = declared.name().clone();
        let (options, arguments) = (QueueBindOptions::default(), FieldTable::default());
        self.channel.queue_bind(name.clone(), exchange.into(), "#".into(), options, arguments).await.unwrap();
        name.to_string()
    }
}
