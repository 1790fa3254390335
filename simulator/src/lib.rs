//! Virtual peers: over real sockets, to measure a server by.

pub mod load;
