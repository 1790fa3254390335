//! RFC 6455 over the frame types of tungstenite, without its buffers: an idle connection owns no memory.

mod decode;
pub mod encode;
mod header;
mod mask;
#[cfg(test)]
mod tests;
mod violation;

pub use decode::{Decoder, Found};
pub use violation::Violation;
