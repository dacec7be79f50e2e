//! The services, by their health and metrics: whether they are ready, and of one version.

use std::collections::BTreeMap;

use reqwest::Client;
use shared_service::settings::http_url;

use super::finding::Finding;
use super::settings::{Settings, in_time};

/// Every service that is named.
pub async fn look(settings: &Settings) -> Vec<Finding> {
    if settings.services.is_empty() {
        return vec![Finding::skipped("services", "--service")];
    }
    let is_https = settings.services.iter().any(|url| url.starts_with("https:"));
    let http = Client::builder().no_proxy().user_agent("unweave");
    // Without TLS the system's certificates aren't needed.
    let http = if is_https { http } else { http.tls_certs_only([]) };
    let http = match http.build() {
        Ok(http) => http,
        Err(error) => return vec![Finding::failed("services", error, "install the system's certificates")],
    };
    let mut findings = Vec::new();
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for given in &settings.services {
        let url = shown(given);
        match in_time(one(&http, given)).await {
            Ok((build, not_ready)) => {
                versions.entry(build.version.clone()).or_default().push(build.service.clone());
                findings.push(match not_ready {
                    None => Finding::well("services", format!("{} {} at {url} is ready", build.service, build.version)),
                    Some(why) => {
                        let found = format!("{} at {url} isn't ready: {why}", build.service);
                        Finding::failed("services", found, "its log says more")
                    }
                });
            }
            Err(why) => {
                let advice = "see that it runs, and that its ADMIN_LISTEN can be reached from here";
                findings.push(Finding::failed("services", format!("{url}: {why}"), advice));
            }
        }
    }
    if versions.len() > 1 {
        let told: Vec<_> =
            versions.iter().map(|(version, services)| format!("{version}: {}", services.join(", "))).collect();
        let advice = "finish the upgrade: gateways first, then the workers";
        findings.push(Finding::look("versions", told.join("; "), advice));
    }
    findings
}

/// The URL without what may be a password.
fn shown(given: &str) -> String {
    let Ok(mut url) = http_url(given) else { return "a URL that can't be read".to_owned() };
    let _has_a_host = (url.set_username(""), url.set_password(None));
    url.to_string().trim_end_matches('/').to_owned()
}

/// What a service says that it is.
struct Build {
    service: String,
    version: String,
}

/// What it is, and why it isn't ready if it isn't.
async fn one(http: &Client, url: &str) -> Result<(Build, Option<String>), String> {
    let url = http_url(url).map_err(str::to_owned)?;
    let base = url.as_str().trim_end_matches('/');
    let get = async |path: &str| http.get(format!("{base}{path}")).send().await.map_err(plain);
    let metrics = get("/metrics").await?.text().await.map_err(plain)?;
    let build = build(&metrics).ok_or("its /metrics is none of ours")?;
    let ready = get("/health/ready").await?;
    let why = if ready.status().is_success() { None } else { Some(ready.text().await.map_err(plain)?) };
    Ok((build, why))
}

fn plain(error: reqwest::Error) -> String {
    error.without_url().to_string()
}

/// The labels of `unweave_build_info`.
fn build(metrics: &str) -> Option<Build> {
    let line = metrics.lines().find(|line| line.starts_with("unweave_build_info{"))?;
    let label = |name: &str| {
        let (_, rest) = line.split_once(&format!("{name}=\""))?;
        rest.split_once('"').map(|(value, _)| value.to_owned())
    };
    Some(Build { service: label("service")?, version: label("version")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_read_from_metrics() {
        let metrics =
            "# TYPE unweave_build_info gauge\nunweave_build_info{service=\"api-gateway\",version=\"0.1.0\"} 1\n";
        let found = build(metrics).unwrap();
        assert_eq!((found.service.as_str(), found.version.as_str()), ("api-gateway", "0.1.0"));
        assert!(build("up 1\n").is_none());
    }
}
