//! The signaling server in virtual time.

pub mod client;
mod diagram;
mod laws;
pub mod load;
mod model;
mod page;
pub mod random;
mod record;
mod run;
pub mod scenario;
mod shrink;
pub mod transcript;
mod watch;
mod world;

pub use run::{Place, Report, Violation, diagram, run};
pub use shrink::shrink;
pub use watch::Breach;
