//! What a service says about its settings before it starts.

use std::ffi::OsString;

use clap::{CommandFactory as _, Parser};

use super::load::{Judgement, Validate, judge, named};
use super::{
    AdminSettings, BrokerSettings, CredentialsKeysSettings, DatabaseSettings, EmbedderSettings, ProtocolSettings,
    TelemetrySettings,
};

/// Documents what it does
#[derive(Debug, Parser)]
#[command(name = "some-service")]
struct Settings {
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(flatten)]
    broker: BrokerSettings,
    #[command(flatten)]
    protocol: ProtocolSettings,
    #[command(flatten)]
    keys: CredentialsKeysSettings,
    #[command(flatten)]
    embedder: EmbedderSettings,
    #[command(flatten)]
    admin: AdminSettings<9002>,
    #[command(flatten)]
    telemetry: TelemetrySettings,
}

impl Validate for Settings {
    fn validate(&self) -> Result<(), String> {
        self.protocol.validate()
    }
}

const KEYS: &str = "a:BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
const GOOD: [(&str, &str); 3] = [
    ("DATABASE_URL", "postgres://u:hunter2@localhost/unweave"),
    ("AMQP_URL", "amqp://u:hunter2@localhost:5672/%2f"),
    ("CREDENTIALS_KEYS", KEYS),
];

/// Judges as if these variables were the whole environment. clap would read the process's own, which a test can't
/// change: so the values come as options, and the environment is only searched for misspellings.
fn judged(variables: &[(&str, &str)], arguments: &[&str]) -> Judgement<Settings> {
    let named = named(&Settings::command());
    let mut line = vec![OsString::from("some-service")];
    for (name, value) in variables.iter().filter(|(_, value)| !value.is_empty()) {
        if let Some(argument) = named.iter().find(|argument| argument.variable == *name) {
            let option = argument.shown.split(' ').next().unwrap();
            line.push(format!("{option}={value}").into());
        }
    }
    line.extend(arguments.iter().map(OsString::from));
    let environment: Vec<(OsString, OsString)> = variables.iter().map(|(n, v)| (n.into(), v.into())).collect();
    let command = Settings::command().mut_args(|argument| argument.env(None));
    judge(command, &named, line, &environment)
}

fn with(name: &'static str, value: &'static str) -> Vec<(&'static str, &'static str)> {
    let mut variables: Vec<_> = GOOD.into_iter().filter(|(known, _)| *known != name).collect();
    variables.push((name, value));
    variables
}

fn refused(variables: &[(&str, &str)], arguments: &[&str]) -> String {
    match judged(variables, arguments) {
        Judgement::Refuse(line) => line,
        Judgement::Say(text) => panic!("said {text}"),
        Judgement::Run(_) | Judgement::CheckConnections(_) => panic!("would run"),
    }
}

#[test]
fn good_settings_run_with_their_defaults() {
    let Judgement::Run(settings) = judged(&GOOD, &[]) else { panic!("refused") };
    assert_eq!(settings.database.database_pool_size, 16);
    assert_eq!(settings.protocol.times(), shared_models::ProtocolTimes::default());
    assert_eq!(settings.admin.admin_listen.to_string(), "127.0.0.1:9002");
    let keys: Vec<String> = settings.keys.credentials_keys.secrets().map(|(id, _)| id).collect();
    assert_eq!((settings.telemetry.log_level.as_str(), keys), ("info", vec!["a".to_owned()]));
    let shown = format!("{settings:?}");
    assert!(!shown.contains("hunter2") && !shown.contains("BwcH"), "{shown}");
}

#[test]
fn a_missing_setting_is_named_in_one_line() {
    assert_eq!(refused(&GOOD[1..], &[]), "DATABASE_URL is not set");
    assert_eq!(refused(&with("DATABASE_URL", ""), &[]), "DATABASE_URL is not set");
    assert_eq!(refused(&GOOD[2..], &[]), "DATABASE_URL, AMQP_URL are not set");
}

#[test]
fn a_bad_value_is_named_in_one_line_without_secrets() {
    let cases = [
        ("LEASE_TTL", "soon", "LEASE_TTL is \"soon\": not a duration such as 500ms, 30s, 5m or 1h 30m"),
        ("LEASE_TTL", "12s", "LEASE_TTL + LEASE_GUARD + 1s is 17s, more than CANCEL_WAIT 15s"),
        ("LEASE_RENEWAL", "4s", "2 * LEASE_RENEWAL + STORE_TIMEOUT is 11s, not less than LEASE_TTL 10s"),
        ("DATABASE_POOL_SIZE", "0", "DATABASE_POOL_SIZE must be a whole number from 1 to 10000, not '0'"),
        ("DATABASE_POOL_SIZE", "many", "DATABASE_POOL_SIZE must be a whole number from 1 to 10000, not 'many'"),
        ("LOG_FORMAT", "xml", "LOG_FORMAT is \"xml\": not one of json, text"),
        (
            "LOG_LEVEL",
            "info,=",
            "LOG_LEVEL is \"info,=\": not a filter such as info or info,sync_worker=debug; levels are off, error, warn, info, debug, trace",
        ),
        (
            "LOG_LEVEL",
            "warning",
            "LOG_LEVEL is \"warning\": not a filter such as info or info,sync_worker=debug; levels are off, error, warn, info, debug, trace",
        ),
        ("CREDENTIALS_KEYS", "a:hunter2", "CREDENTIALS_KEYS: a key is not base64"),
        ("AMQP_URL", "http://u:hunter2@h", "AMQP_URL: not a URL of the form amqp://user:password@host:5672/vhost"),
        (
            "ADMIN_LISTEN",
            "localhost:9001",
            "ADMIN_LISTEN is \"localhost:9001\": not of the form IP:port, such as 127.0.0.1:8001 or [::1]:8001",
        ),
    ];
    for (name, value, line) in cases {
        assert_eq!(refused(&with(name, value), &[]), line);
    }
    assert_eq!(refused(&GOOD, &["--no-such"]), "unknown option --no-such");
    assert_eq!(refused(&GOOD, &["frob"]), "unknown command frob: see --help");
}

#[test]
fn a_misspelling_is_named_before_what_is_missing() {
    let line = refused(&[("DATABSE_URL", "x"), GOOD[1], GOOD[2]], &[]);
    assert_eq!(line, "unknown setting DATABSE_URL: did you mean DATABASE_URL?");
    assert_eq!(refused(&with("LEASE_TLL", "10s"), &[]), "unknown setting LEASE_TLL: did you mean LEASE_TTL?");
    let Judgement::Run(_) = judged(&with("MY_LEASE_TTL", "10s"), &[]) else { panic!("refused") };
    let line = refused(&with("MY_LEASE_TTL", "10s"), &["--check-config"]);
    assert_eq!(line, "unknown setting MY_LEASE_TTL: did you mean LEASE_TTL?");
}

#[test]
fn check_config_says_that_it_is_valid() {
    let Judgement::Say(text) = judged(&GOOD, &["--check-config"]) else { panic!("not said") };
    assert_eq!(text, "configuration is valid");
    assert_eq!(refused(&GOOD[1..], &["--check-config"]), "DATABASE_URL is not set");
}

#[test]
fn help_lists_every_setting_with_its_default_and_no_secret() {
    let line = ["some-service", "--help"].map(OsString::from).to_vec();
    let Judgement::Say(help) = judge::<Settings>(Settings::command(), &[], line, &[]) else { panic!("no help") };
    for name in ["DATABASE_URL", "AMQP_URL", "LEASE_TTL", "CREDENTIALS_KEYS", "ADMIN_LISTEN", "LOG_FORMAT"] {
        assert!(help.contains(&format!("[env: {name}")), "{name} in {help}");
    }
    assert!(help.contains("[default: 10s]") && help.contains("[default: 127.0.0.1:9002]"), "{help}");
}

#[test]
fn an_embedder_is_set_as_a_whole_or_not_at_all() {
    let Judgement::Run(settings) = judged(&GOOD, &[]) else { panic!("refused") };
    assert!(settings.embedder.endpoint().is_none());
    let (url, model) = (("EMBEDDER_URL", "https://u:hunter2@host/v1"), ("EMBEDDER_MODEL", "m"));
    let both = [&GOOD[..], &[url, model, ("EMBEDDER_API_KEY", "hunter2")]].concat();
    let Judgement::Run(settings) = judged(&both, &[]) else { panic!("refused") };
    assert!(!format!("{:?}", settings.embedder.embedder_api_key).contains("hunter2"));
    let endpoint = settings.embedder.endpoint().unwrap();
    assert_eq!((endpoint.model.as_str(), endpoint.dimensions, endpoint.api_key.is_some()), ("m", 1536, true));

    let with = |more: &[(&'static str, &'static str)]| refused(&[&GOOD[..], more].concat(), &[]);
    assert_eq!(with(&[url]), "EMBEDDER_MODEL is not set, and another EMBEDDER_… setting needs it");
    assert_eq!(with(&[model]), "EMBEDDER_URL is not set, and another EMBEDDER_… setting needs it");
    assert!(with(&[("EMBEDDER_API_KEY", "hunter2")]).contains("EMBEDDER_URL"));
    assert!(with(&[("EMBEDDER_DIMENSIONS", "768")]).contains("EMBEDDER_URL"));
    let line = with(&[("EMBEDDER_URL", "ftp://hunter2"), model]);
    assert!(line.starts_with("EMBEDDER_URL: not a URL") && !line.contains("hunter2"), "{line}");
    assert!(with(&[url, model, ("EMBEDDER_DIMENSIONS", "0")]).starts_with("EMBEDDER_DIMENSIONS must be "));
}
