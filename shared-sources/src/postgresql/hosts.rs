//! Which servers the operator lets connections reach. Whoever creates connections could otherwise make a worker try
//! every address that it can reach.

use std::str::FromStr;

use crate::tools::entries::entries;

/// What `POSTGRESQL_SOURCE_HOSTS` allows; nothing named allows everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AllowedHosts(Vec<Entry>);

/// A host with or without port.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    name: Name,
    /// Any if `None`.
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    /// This host, in lower case.
    Host(String),
    /// Every host below this domain; begins with a dot.
    Below(String),
}

impl AllowedHosts {
    /// Whether a connection may name this server. The name counts, not what it resolves to.
    #[must_use]
    pub fn allow(&self, host: &str, port: u16) -> bool {
        let host = host.trim_end_matches('.').to_lowercase();
        self.0.is_empty()
            || self.0.iter().any(|entry| {
                let is_named = match &entry.name {
                    Name::Host(name) => *name == host,
                    Name::Below(domain) => host.len() > domain.len() && host.ends_with(domain.as_str()),
                };
                is_named && entry.port.is_none_or(|allowed| allowed == port)
            })
    }
}

impl FromStr for AllowedHosts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        entries(text).map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl FromStr for Entry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (host, port) = split(text).ok_or_else(|| format!("'{text}' is not host or host:port"))?;
        let port = port.map(str::parse).transpose().map_err(|_| format!("the port of '{text}' is not a port"))?;
        let host = host.trim_end_matches('.').to_lowercase();
        let name = match host.strip_prefix('*') {
            Some(domain) if domain.len() > 1 && domain.starts_with('.') => Name::Below(domain.to_owned()),
            None if !host.is_empty() => Name::Host(host),
            Some(_) | None => return Err(format!("'{text}' names no host; *.domain names all below a domain")),
        };
        let (Name::Host(plain) | Name::Below(plain)) = &name;
        if plain.contains(['*', '/', '@', '[', ']']) || plain.contains(char::is_whitespace) {
            return Err(format!("'{text}' names no host; *.domain names all below a domain"));
        }
        Ok(Self { name, port })
    }
}

/// `host`, `host:port`, `[address]:port`, or an IPv6 address without port.
fn split(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some(bracketed) = text.strip_prefix('[') {
        let (address, rest) = bracketed.split_once(']')?;
        return if rest.is_empty() { Some((address, None)) } else { Some((address, Some(rest.strip_prefix(':')?))) };
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => Some((host, Some(port))),
        Some(_) | None => Some((text, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_named_allows_everything() {
        assert!("".parse::<AllowedHosts>().unwrap().allow("anything", 1));
        assert!(AllowedHosts::default().allow("10.0.0.1", 5432));
    }

    #[test]
    fn only_what_is_named_is_allowed() {
        let hosts: AllowedHosts =
            "db.example.com, *.Shops.example:6432, 10.0.0.7:5432, ::1, [fe80::1]:5433".parse().unwrap();
        for (host, port) in [
            ("db.example.com", 1),
            ("DB.example.com.", 5432),
            ("a.shops.example", 6432),
            ("b.a.shops.example", 6432),
            ("10.0.0.7", 5432),
            ("::1", 9),
            ("fe80::1", 5433),
        ] {
            assert!(hosts.allow(host, port), "{host}:{port}");
        }
        for (host, port) in [
            ("xdb.example.com", 5432),
            ("db.example.com.evil.example", 5432),
            ("shops.example", 6432),
            (".shops.example", 6432),
            ("a.shops.example", 5432),
            ("10.0.0.7", 5433),
            ("10.0.0.70", 5432),
            ("167772167", 5432),
            ("localhost", 5432),
            ("", 5432),
        ] {
            assert!(!hosts.allow(host, port), "{host}:{port}");
        }
    }

    #[test]
    fn what_names_no_host_is_refused() {
        for wrong in ["*", "*.", "a*b", "host:port", "host:70000", ":5432", "[::1", "[::1]x", "/run/postgresql", "a b"]
        {
            assert!(wrong.parse::<AllowedHosts>().is_err(), "{wrong}");
        }
    }
}
