//! Who asks. Every handler that touches data takes a [`Caller`], so none can forget the organization (DEL-9).
//!
//! A key is hashed, its row looked up by the hash, and the two hashes compared in constant time: how long the look-up
//! takes says something about hashes, nothing about keys. The same statement counts the request against its
//! organization's limit.

use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, HOST, HeaderMap, ORIGIN};
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, web};
use shared_database::deletion::Requester;
use shared_database::rate_limits::FoundKey;
use shared_models::ledger::Actor;
use shared_models::{ApiKeyId, DeletionReference, OrganizationId, RequestId};
use shared_service::clock;
use subtle::ConstantTimeEq as _;
use url::{Host, Url};

use crate::input;
use crate::problem::Problem;
use crate::rate_limit::{self, Quota};
use crate::state::AppState;
use shared_models::api_key as keys;

/// Whom a request acts for.
#[derive(Debug, Clone, Copy)]
pub struct Caller {
    /// The organization: every look-up is scoped by it.
    pub organization: OrganizationId,
    /// The key that was used, if keys are needed.
    pub api_key: Option<ApiKeyId>,
    /// The request.
    pub request: RequestId,
}

impl Caller {
    /// Who changes something, for the ledger. Without authentication it is whoever runs the installation.
    #[must_use]
    pub fn actor(&self) -> Actor {
        self.api_key.map_or(Actor::Operator, Actor::ApiKeyId)
    }

    /// What is kept of the caller with a deletion, and what it calls it.
    #[must_use]
    pub const fn requester(&self, reference: Option<DeletionReference>) -> Requester {
        Requester { api_key: self.api_key, request: self.request, reference }
    }

    /// Finds out who asks, and whether one more request is admitted; asked again in the same request, it is the same
    /// caller and counts once.
    ///
    /// # Errors
    /// 401, 403, 429, or 422 for a malformed `X-Organization-ID`.
    pub async fn of(request: &HttpRequest) -> Result<Self, Problem> {
        if let Some(known) = request.extensions().get::<Self>() {
            return Ok(*known);
        }
        let state = request.app_data::<web::Data<AppState>>().ok_or(Problem::Internal("no application state"))?;
        let request_id = request.extensions().get::<RequestId>().copied().unwrap_or_else(RequestId::random);
        let named = named_organization(request.headers());
        let (organization, api_key, decision) = if state.auth_enabled {
            let key = key_of(request.headers())?;
            let found = find(state, key, named.as_ref().ok().copied().flatten()).await?;
            (found.organization_id, Some(found.id), found.decision)
        } else {
            check_is_local(request)?;
            let first = state.database.first_organization().await?;
            (first.ok_or(Problem::Internal("there is no organization"))?, None, None)
        };
        tracing::Span::current().record("organization", tracing::field::display(organization));
        if let Ok(Some(other)) = named
            && other != organization
        {
            return Err(Problem::OtherOrganization(other));
        }
        let quota = decision.as_ref().map_or_else(|| Quota::unlimited(clock::utc_now()), Quota::after);
        request.extensions_mut().insert(quota);
        if let Some(refused) = decision.filter(|decision| !decision.is_admitted) {
            rate_limit::record_refusal();
            return Err(Problem::RateLimited(rate_limit::retry_after_seconds(&refused)));
        }
        named?;
        let caller = Self { organization, api_key, request: request_id };
        request.extensions_mut().insert(caller);
        Ok(caller)
    }
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { Self::of(&request).await })
    }
}

/// Without keys only requests that name this machine are served: a page of any site could have a browser here send one.
fn check_is_local(request: &HttpRequest) -> Result<(), Problem> {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let hosts = host.into_iter().chain(request.uri().authority().map(|authority| authority.as_str()));
    let hosts = hosts.map(|host| format!("http://{host}"));
    // A page without an origin of its own says "null".
    let origin = request.headers().get(ORIGIN).map(|origin| origin.to_str().unwrap_or_default().to_owned());
    let is_local = hosts.chain(origin).all(|url| is_loopback(&url));
    if is_local { Ok(()) } else { Err(Problem::NotLocal) }
}

fn is_loopback(url: &str) -> bool {
    match Url::parse(url).ok().as_ref().and_then(Url::host) {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The key in the request: `x-api-key`, or a bearer token as the MCP server sends it.
fn key_of(headers: &HeaderMap) -> Result<&str, Problem> {
    let own = headers.get("x-api-key");
    let value = own.or_else(|| headers.get(AUTHORIZATION)).ok_or(Problem::NotAuthenticated)?;
    let text = value.to_str().map_err(|_| Problem::BadKey)?.trim();
    let key = if own.is_some() {
        text
    } else {
        let (scheme, token) = text.split_once(' ').ok_or(Problem::NotAuthenticated)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Problem::NotAuthenticated);
        }
        token.trim()
    };
    if key.is_empty() { Err(Problem::NotAuthenticated) } else { Ok(key) }
}

async fn find(state: &AppState, key: &str, named: Option<OrganizationId>) -> Result<FoundKey, Problem> {
    let hash = keys::hash(key);
    let found = state.database.admit(hash, named, state.rate_limits).await?.ok_or(Problem::BadKey)?;
    if !bool::from(found.key_hash.as_slice().ct_eq(hash.0.as_slice())) || found.is_expired {
        return Err(Problem::BadKey);
    }
    if found.is_use_stale {
        let (database, id) = (state.database.clone(), found.id);
        // Beside the request: when a key was used last is worth no waiting.
        drop(state.tasks.spawn("record key use", async move {
            if let Err(error) = database.record_key_use(id).await {
                tracing::debug!(%error, "the use of a key was not recorded");
            }
        }));
    }
    Ok(found)
}

/// The organization in `X-Organization-ID`, if the header is there.
fn named_organization(headers: &HeaderMap) -> Result<Option<OrganizationId>, Problem> {
    let Some(named) = headers.get("x-organization-id") else { return Ok(None) };
    input::id(&["header", "X-Organization-ID"], named.to_str().unwrap_or_default().trim()).map(Some)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};
    use actix_web::test::TestRequest;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn without_keys_only_this_machine_may_ask() {
        let asked = |headers: &[(&'static str, &str)]| {
            let request = headers.iter().fold(TestRequest::default(), |request, header| request.insert_header(*header));
            check_is_local(&request.to_http_request()).is_ok()
        };
        for host in ["localhost", "localhost:8001", "127.0.0.1:8001", "[::1]:8001", "app.localhost"] {
            assert!(asked(&[("host", host)]), "{host}");
            assert!(asked(&[("host", host), ("origin", "http://localhost:3000")]), "{host}");
            for origin in ["https://evil.example", "null", "http://127.0.0.1.evil.example", ""] {
                assert!(!asked(&[("host", host), ("origin", origin)]), "{host} {origin}");
            }
        }
        for host in ["evil.example", "evil.example:8001", "localhost.evil.example", "10.0.0.1", "user@evil.example"] {
            assert!(!asked(&[("host", host)]), "{host}");
        }
    }

    #[test]
    fn a_key_comes_in_either_header() {
        assert_eq!(key_of(&headers(&[("x-api-key", "k")])).unwrap(), "k");
        assert_eq!(key_of(&headers(&[("authorization", "Bearer k")])).unwrap(), "k");
        assert_eq!(key_of(&headers(&[("authorization", "bearer  k ")])).unwrap(), "k");
        assert_eq!(key_of(&headers(&[("x-api-key", "k"), ("authorization", "Bearer other")])).unwrap(), "k");
    }

    #[test]
    fn anything_else_is_no_authentication() {
        for pairs in [
            &[][..],
            &[("authorization", "Basic azpr")],
            &[("authorization", "Bearer")],
            &[("authorization", "Bearer  ")],
            &[("x-api-key", "")],
        ] {
            assert!(matches!(key_of(&headers(pairs)), Err(Problem::NotAuthenticated)), "{pairs:?}");
        }
    }
}
