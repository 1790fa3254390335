//! The program around a server: from its settings to its exit status.
//!
//! Owns the settings and what a reload of them changes, signals, the service manager, logs, the subcommands, and the
//! supervision of the loop. Nothing of it is needed where a [`crate::Server`] is embedded.

mod container;
mod descriptors;
mod healthcheck;
mod logging;
mod reload;
mod run;
mod service_manager;
pub mod settings;
mod signals;
mod supervisor;
mod worst_case;

pub use run::run;
