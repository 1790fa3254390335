//! Nodes at their own edge: one rule at a time, and all of them over a bus that does its worst.

mod handshake;
mod laws;
mod memory;
mod presence;
mod side;
mod streams;
mod world;
