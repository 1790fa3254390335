//! A request as the rest of the server sees it.

/// The methods of RFC 9110 section 9 that mean something here, and the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// `OPTIONS`
    Options,
    /// `POST`
    Post,
    /// `PUT`, `DELETE`, `CONNECT`, `TRACE`, `PATCH`: defined, and allowed nowhere here.
    Known,
    /// Anything else that has the form of a method.
    Unknown,
}

/// Where a body ends (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// After so many bytes; 0 where there is none.
    Known(u64),
    /// Where its last chunk says so.
    Chunked,
}

/// A well-formed request head.
#[derive(Clone, Copy, Debug)]
pub struct HttpRequest<'b> {
    /// RFC 9110 section 9.
    pub method: Method,
    /// Path and query as they came, still percent-encoded; of an absolute-form target the part behind the authority,
    /// and `*` as it is.
    pub target: &'b str,
    /// Whether it is HTTP/1.1, not 1.0.
    pub is_1_1: bool,
    /// Whether the client wants to go on with this connection (RFC 9112 section 9.3).
    pub keep_alive: bool,
    /// Where the body that follows ends.
    pub body: BodyLength,
    /// All header fields, in their order.
    pub headers: &'b [httparse::Header<'b>],
}

impl<'b> HttpRequest<'b> {
    /// The target up to the query; `/` for an absolute-form target without a path.
    #[must_use]
    pub fn path(&self) -> &'b str {
        match self.target.split_once('?').map_or(self.target, |(path, _)| path) {
            "" => "/",
            path => path,
        }
    }

    /// The query, still percent-encoded; empty when there is none.
    #[must_use]
    pub fn query(&self) -> &'b str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// The values of every field of this name, in their order, without blanks around them.
    pub fn fields(&self, name: &str) -> impl Iterator<Item = &'b [u8]> {
        fields(self.headers, name)
    }

    /// The value of the only field of this name; `None` when there is none, more than one, or one that is not UTF-8.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'b str> {
        let mut fields = self.fields(name);
        let value = fields.next()?;
        if fields.next().is_some() { None } else { std::str::from_utf8(value).ok() }
    }

    /// Whether a field that is a comma list holds this word, in any case.
    #[must_use]
    pub fn lists(&self, name: &str, word: &str) -> bool {
        self.fields(name).any(|value| list(value).any(|item| item.eq_ignore_ascii_case(word.as_bytes())))
    }

    /// The `Origin`, where there is exactly one.
    #[must_use]
    pub fn origin(&self) -> Option<&'b str> {
        self.field("Origin")
    }
}

/// The values of every field of this name.
pub(super) fn fields<'b>(headers: &'b [httparse::Header<'b>], name: &str) -> impl Iterator<Item = &'b [u8]> {
    headers
        .iter()
        .filter(move |header| header.name.eq_ignore_ascii_case(name))
        .map(|header| header.value.trim_ascii())
}

/// Whether this is a token (RFC 9110 section 5.6.2): what names of protocols, and of much else, are.
pub(super) fn is_token(text: &[u8]) -> bool {
    let is_of_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !text.is_empty() && text.iter().all(is_of_token)
}

/// The members of a comma list (RFC 9110 section 5.6.1), empty ones left out.
pub(super) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|item| !item.is_empty())
}
