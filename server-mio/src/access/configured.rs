//! The policy as the settings want it.

use crate::access::addresses::{self, AddressList};
use crate::access::jwt;
use crate::access::origins::{self, AllowOrigin, OriginVerdict, Origins};
use crate::access::policy::{AccessPolicy, Purpose};
use crate::access::rates::{PerAddress, RateVerdict, Rates};
use crate::access::tokens::{self, Tokens};
use crate::http::{HttpRefusal, HttpRequest, Status, is_forwarded};
use crate::program::settings::Settings;
use peerpigeon_core::{AddressKey, Grant, Time, UnixMillis};
use std::net::{IpAddr, SocketAddr};

/// Lets in whom the settings let in: by address, rate, origin and token.
pub struct ConfiguredPolicy {
    origins: Origins,
    tokens: Option<Tokens>,
    keys: jwt::Keys,
    trusted_proxies: AddressList,
    exempt: AddressList,
    rates: PerAddress,
    sweep_interval_ms: u64,
    swept: Time,
    /// It was said that a proxy is not trusted.
    has_warned: bool,
}

impl ConfiguredPolicy {
    /// A policy with these settings.
    #[must_use]
    pub fn new(settings: &Settings) -> ConfiguredPolicy {
        ConfiguredPolicy {
            origins: settings.cors_origin.clone(),
            tokens: settings.auth_token.clone(),
            keys: jwt::Keys::new(
                settings.auth_jwt_secret.as_ref(),
                settings.auth_jwt_public_key.as_ref(),
                settings.max_network_name,
            ),
            trusted_proxies: settings.trusted_proxies.clone(),
            exempt: settings.limit_exempt.clone(),
            rates: PerAddress::new(Rates {
                connections_per_second: settings.connection_rate_per_ip,
                requests_per_window: settings.http_rate,
                window_ms: settings.http_window,
            }),
            sweep_interval_ms: settings.cleanup_interval,
            swept: Time(0),
            has_warned: false,
        }
    }

    fn client(&self, remote: Option<SocketAddr>, request: &HttpRequest<'_>) -> Option<IpAddr> {
        let peer = remote.map(|remote| remote.ip());
        let texts = |name| -> Vec<&str> {
            request.fields(name).filter_map(|value| std::str::from_utf8(value).ok()).collect()
        };
        let (x_forwarded_for, forwarded) = (texts("X-Forwarded-For"), texts("Forwarded"));
        addresses::client_address(
            peer,
            &self.trusted_proxies,
            x_forwarded_for.into_iter(),
            forwarded.into_iter(),
        )
    }

    fn key(&self, address: Option<IpAddr>) -> Option<AddressKey> {
        address.filter(|address| !self.exempt.contains(*address)).map(addresses::key_of)
    }

    /// Whether what comes from there says itself whose it is. Whoever comes by a Unix socket is a proxy.
    fn is_proxy(&self, remote: Option<SocketAddr>) -> bool {
        remote.is_none_or(|remote| self.trusted_proxies.contains(remote.ip()))
    }

    /// Says once that limits per address mean nothing for whoever comes through a proxy that nobody has named: its address
    /// is without limits, so that nothing else would show it.
    fn notice_proxy(&mut self, remote: Option<SocketAddr>, request: &HttpRequest<'_>) {
        let Some(remote) = remote.filter(|_| !self.has_warned && !self.is_proxy(remote)) else { return };
        if self.exempt.contains(remote.ip()) && is_forwarded(request) {
            self.has_warned = true;
            log::warn!(
                "{} forwards requests of others and is in LIMIT_EXEMPT, but not in TRUSTED_PROXIES: whoever comes \
                 through it is under no limit per address",
                remote.ip()
            );
        }
    }

    fn sweep_now_and_then(&mut self, now: Time) {
        if now.since(self.swept) >= self.sweep_interval_ms {
            self.swept = now;
            self.rates.sweep(now);
        }
    }

    fn check_origin(&self, request: &HttpRequest<'_>) -> Result<(), HttpRefusal> {
        // More than one `Origin`, or one that is not text, is no origin that anybody could allow.
        let origin = request.fields("Origin").next().map(|_| request.origin().unwrap_or_default());
        if origin.is_some_and(|origin| origins::is_own(origin, request.field("Host"))) {
            return Ok(());
        }
        match self.origins.upgrade(origin) {
            OriginVerdict::Pass => Ok(()),
            OriginVerdict::Refuse => {
                Err(refusal(Status::Forbidden, "This origin may not connect (CORS_ORIGIN)"))
            }
        }
    }

    /// What the first token that is good allows.
    fn check_token(&self, request: &HttpRequest<'_>, wall: UnixMillis) -> Result<Grant, HttpRefusal> {
        if self.tokens.is_none() && self.keys.is_empty() {
            return Ok(Grant::ANY);
        }
        let mut fault = "A token is required: ?token=… or Authorization: Bearer …";
        for token in tokens::presented(request.target, request.field("Authorization")) {
            if self.tokens.as_ref().is_some_and(|tokens| tokens.contains(&token)) {
                return Ok(Grant::ANY);
            }
            match self.keys.check(&token, wall.0 / 1000) {
                Ok(grant) => return Ok(grant),
                // Where no such tokens are asked for there is nothing to say about them.
                Err(_) if self.keys.is_empty() => fault = jwt::TokenFault::NoToken.text(),
                Err(why) => fault = why.text(),
            }
        }
        Err(refusal(Status::Unauthorized, fault))
    }
}

impl AccessPolicy for ConfiguredPolicy {
    fn admits(&mut self, now: Time, remote: Option<SocketAddr>) -> bool {
        self.sweep_now_and_then(now);
        // Everybody comes through a trusted proxy: what it connects for is judged by the request.
        let address = remote.filter(|_| !self.is_proxy(remote)).map(|remote| remote.ip());
        let key = self.key(address);
        self.rates.connection(now, key) == RateVerdict::Pass
    }

    fn judge(
        &mut self,
        now: Time,
        wall: UnixMillis,
        remote: Option<SocketAddr>,
        request: &HttpRequest<'_>,
        purpose: Purpose,
    ) -> Result<Grant, HttpRefusal> {
        self.notice_proxy(remote, request);
        let key = self.key(self.client(remote, request));
        let verdict = match purpose {
            Purpose::Health => RateVerdict::Pass,
            Purpose::Http | Purpose::Signaling => self.rates.request(now, key),
            // The connection of a trusted proxy was nobody's; now it is known whose.
            Purpose::WebSocket if self.is_proxy(remote) => self.rates.connection(now, key),
            Purpose::WebSocket => RateVerdict::Pass,
        };
        if let RateVerdict::TooFast { wait_ms } = verdict {
            let retry_after_s = Some(wait_ms.div_ceil(1_000));
            let refusal = refusal(Status::TooManyRequests, "Too many requests from this IP");
            return Err(HttpRefusal { retry_after_s, ..refusal });
        }
        match purpose {
            Purpose::Http | Purpose::Health => Ok(Grant::ANY),
            Purpose::Signaling | Purpose::WebSocket => {
                self.check_origin(request)?;
                self.check_token(request, wall)
            }
        }
    }

    fn address_key(&self, remote: Option<SocketAddr>, request: &HttpRequest<'_>) -> Option<AddressKey> {
        self.key(self.client(remote, request))
    }

    fn cors<'b>(&'b self, origin: Option<&'b str>) -> AllowOrigin<'b> {
        self.origins.allow(origin)
    }
}

fn refusal(status: Status, text: &'static str) -> HttpRefusal {
    HttpRefusal::new(status, text)
}
