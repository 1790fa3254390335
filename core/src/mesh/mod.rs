//! Networks, their members, and who of them is told of whom so that their links make one mesh.
//!
//! A page takes a few links only, and prefers those whose ids are near its own: a full page that is dialled by a nearer
//! one gives up its farthest link (observed). Pages that are told of their nearest end in islands of such. So the server
//! follows links by the signals that pass through it ([`links`]), and introduces those who have room to each other
//! ([`selection`]). What it is worth with real pages is in docs/MESH.md.

pub(crate) mod acquaintances;
pub(crate) mod announcement;
mod check;
pub(crate) mod links;
pub(crate) mod members;
pub(crate) mod networks;
pub(crate) mod selection;
