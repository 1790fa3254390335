//! Which pages of other origins may read an answer (the Fetch standard, section 3.2).

/// The CORS header of one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cors<'b> {
    /// Everybody may: `Access-Control-Allow-Origin: *`.
    Any,
    /// Only some may, and this origin is one of them: it is echoed.
    Only(&'b str),
    /// Only some may, and whoever asks is none of them, or named no origin.
    Nobody,
}

impl Cors<'_> {
    /// Appends the header lines.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        match self {
            Cors::Any => out.extend_from_slice(b"Access-Control-Allow-Origin: *\r\n"),
            Cors::Only(origin) => {
                out.extend_from_slice(b"Access-Control-Allow-Origin: ");
                out.extend_from_slice(origin.as_bytes());
                // A cache must not give this answer to another origin.
                out.extend_from_slice(b"\r\nVary: Origin\r\n");
            }
            Cors::Nobody => out.extend_from_slice(b"Vary: Origin\r\n"),
        }
    }
}
