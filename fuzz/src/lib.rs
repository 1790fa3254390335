//! What must hold for every input: one module with a function `run` for each target.
//!
//! | target | input |
//! | --- | --- |
//! | [`head`] | how it is cut, then the head of an HTTP request |
//! | [`frames`] | limit and how it is cut, then the frames of a client |
//! | [`dialects`] | a script: what connections say to the core |
//! | [`psp`] | what one client of PSP says to the core |
//! | [`bus`] | a script: what comes by the bus from another node |
//! | [`server`] | a script: what clients do to the whole server, bytes and time |
//!
//! They panic when it does not hold. The fuzzer calls them with what it makes up, `cargo test` with what the fuzzer has found
//! so far (`corpus/`).

pub mod bus;
pub mod dialects;
pub mod frames;
pub mod head;
pub mod network;
pub mod psp;
pub mod script;
pub mod server;
