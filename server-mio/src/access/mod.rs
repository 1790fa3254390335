//! Who may come in: the questions that the loop asks about every socket and every request, and what answers them.
//!
//! Owns tokens and their keys, lists of addresses and origins, and the rates of each address. What the settings
//! want of all these is put together in [`ConfiguredPolicy`].

mod addresses;
mod configured;
mod jwt;
mod origins;
mod policy;
mod rates;
mod tokens;

pub use addresses::AddressList;
pub use configured::ConfiguredPolicy;
pub use origins::AllowOrigin;
pub use policy::{AccessPolicy, AllowAll, Purpose};
pub use tokens::Tokens;

pub(crate) use addresses::key_of;
pub(crate) use jwt::{Claims, PublicKey, Secret, is_bindable};
pub(crate) use origins::Origins;
pub(crate) use rates::PerAddress;
pub(crate) use tokens::presented;
