//! Several nodes over a bus act as one server.

mod bus;
mod duplicates;
mod http;
mod laws;
mod mail;
mod meeting;
mod nodes;
mod same;

pub(crate) use bus::Nodes;
