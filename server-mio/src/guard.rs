//! The gate as the settings want it.

use crate::access::{self, Tokens};
use crate::addresses::{self, AddressList};
use crate::calendar;
use crate::gate::{Gate, Purpose};
use crate::http::{Refusal, Request, Status};
use crate::jwt;
use crate::origins::{AllowOrigin, Origins, Upgrade};
use crate::per_address::{PerAddress, Rates, Verdict};
use crate::settings::Settings;
use peerpigeon_core::{AddressKey, Grant, Time};
use std::net::{IpAddr, SocketAddr};

/// Lets in whom the settings let in: by address, rate, origin and token.
pub struct Guard {
    origins: Origins,
    tokens: Option<Tokens>,
    keys: jwt::Keys,
    trusted_proxies: AddressList,
    exempt: AddressList,
    rates: PerAddress,
    sweep_interval_ms: u64,
    swept: Time,
}

impl Guard {
    /// A guard with these settings.
    #[must_use]
    pub fn new(settings: &Settings) -> Guard {
        Guard {
            origins: settings.cors_origin.clone(),
            tokens: settings.auth_token.clone(),
            keys: jwt::Keys::new(settings.auth_jwt_secret.as_ref(), settings.auth_jwt_public_key.as_ref()),
            trusted_proxies: settings.trusted_proxies.clone(),
            exempt: settings.limit_exempt.clone(),
            rates: PerAddress::new(Rates {
                connections_per_second: settings.connection_rate_per_ip,
                requests_per_window: settings.http_rate,
                window_ms: settings.http_window,
            }),
            sweep_interval_ms: settings.cleanup_interval,
            swept: Time(0),
        }
    }

    fn client(&self, remote: Option<SocketAddr>, request: &Request<'_>) -> Option<IpAddr> {
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

    fn sweep_now_and_then(&mut self, now: Time) {
        if now.since(self.swept) >= self.sweep_interval_ms {
            self.swept = now;
            self.rates.sweep(now);
        }
    }

    fn check_origin(&self, request: &Request<'_>) -> Result<(), Refusal> {
        // More than one `Origin`, or one that is not text, is no origin that anybody could allow.
        let origin = request.fields("Origin").next().map(|_| request.origin().unwrap_or_default());
        match self.origins.upgrade(origin) {
            Upgrade::Pass => Ok(()),
            Upgrade::Refuse => Err(refusal(Status::Forbidden, "This origin may not connect (CORS_ORIGIN)")),
        }
    }

    /// What the first token that is good allows.
    fn check_token(&self, request: &Request<'_>) -> Result<Grant, Refusal> {
        if self.tokens.is_none() && self.keys.is_empty() {
            return Ok(Grant::ANY);
        }
        let mut fault = "A token is required: ?token=… or Authorization: Bearer …";
        for token in access::presented(request.target, request.field("Authorization")) {
            if self.tokens.as_ref().is_some_and(|tokens| tokens.contains(&token)) {
                return Ok(Grant::ANY);
            }
            // Not the time of the loop, which stands still with a machine that sleeps.
            match self.keys.check(&token, calendar::now().0 / 1000) {
                Ok(grant) => return Ok(grant),
                // Where no such tokens are asked for there is nothing to say about them.
                Err(_) if self.keys.is_empty() => fault = jwt::Fault::NoToken.text(),
                Err(why) => fault = why.text(),
            }
        }
        Err(refusal(Status::Unauthorized, fault))
    }
}

impl Gate for Guard {
    fn admits(&mut self, now: Time, remote: Option<SocketAddr>) -> bool {
        self.sweep_now_and_then(now);
        // Everybody comes through a trusted proxy: what it connects for is judged by the request.
        let address = remote.map(|remote| remote.ip()).filter(|ip| !self.trusted_proxies.contains(*ip));
        let key = self.key(address);
        self.rates.connection(now, key) == Verdict::Pass
    }

    fn judge(
        &mut self,
        now: Time,
        remote: Option<SocketAddr>,
        request: &Request<'_>,
        purpose: Purpose,
    ) -> Result<Grant, Refusal> {
        if purpose != Purpose::WebSocket {
            let key = self.key(self.client(remote, request));
            if self.rates.request(now, key) != Verdict::Pass {
                return Err(refusal(Status::TooManyRequests, "Too many requests from this IP"));
            }
        }
        if purpose != Purpose::Http {
            self.check_origin(request)?;
            return self.check_token(request);
        }
        Ok(Grant::ANY)
    }

    fn address_key(&self, remote: Option<SocketAddr>, request: &Request<'_>) -> Option<AddressKey> {
        self.key(self.client(remote, request))
    }

    fn cors<'b>(&'b self, origin: Option<&'b str>) -> AllowOrigin<'b> {
        self.origins.allow(origin)
    }
}

fn refusal(status: Status, text: &'static str) -> Refusal {
    Refusal { status, text }
}
