//! Who counts against whom: the address of a simulated client is its key.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use peerpigeon_core::AddressKey;
use peerpigeon_server::AccessPolicy;
use peerpigeon_server::http::HttpRequest;

/// Lets everybody in, and counts by the address that the client connects from.
pub(super) struct SimPolicy;

impl AccessPolicy for SimPolicy {
    fn address_key(&self, remote: Option<SocketAddr>, _: &HttpRequest<'_>) -> Option<AddressKey> {
        let IpAddr::V4(address) = remote?.ip() else { return None };
        (!address.is_loopback()).then(|| AddressKey(u64::from(address.to_bits() - FIRST)))
    }
}

/// The address of a client: 10.0.0.0 and up by its key, loopback where no limit applies.
pub(super) fn remote(key: Option<AddressKey>) -> SocketAddr {
    let number = key.and_then(|key| u32::try_from(key.0).ok());
    let address = number.map_or(Ipv4Addr::LOCALHOST, |number| Ipv4Addr::from_bits(FIRST + number));
    SocketAddr::from((address, 50_000))
}

/// 10.0.0.0
const FIRST: u32 = 10 << 24;
