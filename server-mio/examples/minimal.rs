//! A server on `localhost:3000` with the default settings, until it is ended from outside.

use peerpigeon_core::UnixMillis;
use peerpigeon_server::{AllowAll, Config, MioNet, Server};
use std::net::SocketAddr;
use std::time::SystemTime;

fn main() -> std::io::Result<()> {
    let loopback = [SocketAddr::from(([127, 0, 0, 1], 3000)), "[::1]:3000".parse().expect("an address")];
    let net = MioNet::bind(&loopback)?;
    let since_1970 = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    let boot = UnixMillis(u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX));
    Server::new(net, Config::default(), Box::new(AllowAll), boot)?.run()
}
