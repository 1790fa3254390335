//! Status codes of HTTP (RFC 9110 section 15).

/// What is answered, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// 101: the connection is a WebSocket from here on.
    SwitchingProtocols,
    /// 200
    Ok,
    /// 400: not HTTP, or not a valid request.
    BadRequest,
    /// 401: no token, or a wrong one.
    Unauthorized,
    /// 403: not from this origin.
    Forbidden,
    /// 404
    NotFound,
    /// 405: the path exists, but not for this method.
    MethodNotAllowed,
    /// 408: the request was not whole within `HANDSHAKE_TIMEOUT`.
    RequestTimeout,
    /// 409: the peer id is in use by WebSocket.
    Conflict,
    /// 413: a body over the limit.
    ContentTooLarge,
    /// 414: a request target over the limit.
    UriTooLong,
    /// 426: a WebSocket version other than 13.
    UpgradeRequired,
    /// 429: too many requests.
    TooManyRequests,
    /// 431: a head over the limit.
    HeadersTooLarge,
    /// 501: a method or a transfer coding that nobody has defined here.
    NotImplemented,
    /// 503: draining.
    ServiceUnavailable,
    /// 505: neither HTTP/1.0 nor HTTP/1.1.
    VersionNotSupported,
}

impl Status {
    /// All of them, in the order of their numbers.
    pub const ALL: [Status; 17] = [
        Status::SwitchingProtocols,
        Status::Ok,
        Status::BadRequest,
        Status::Unauthorized,
        Status::Forbidden,
        Status::NotFound,
        Status::MethodNotAllowed,
        Status::RequestTimeout,
        Status::Conflict,
        Status::ContentTooLarge,
        Status::UriTooLong,
        Status::UpgradeRequired,
        Status::TooManyRequests,
        Status::HeadersTooLarge,
        Status::NotImplemented,
        Status::ServiceUnavailable,
        Status::VersionNotSupported,
    ];

    /// The number on the wire (RFC 9110 section 15).
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            Status::SwitchingProtocols => 101,
            Status::Ok => 200,
            Status::BadRequest => 400,
            Status::Unauthorized => 401,
            Status::Forbidden => 403,
            Status::NotFound => 404,
            Status::MethodNotAllowed => 405,
            Status::RequestTimeout => 408,
            Status::Conflict => 409,
            Status::ContentTooLarge => 413,
            Status::UriTooLong => 414,
            Status::UpgradeRequired => 426,
            Status::TooManyRequests => 429,
            Status::HeadersTooLarge => 431,
            Status::NotImplemented => 501,
            Status::ServiceUnavailable => 503,
            Status::VersionNotSupported => 505,
        }
    }

    /// The words behind the number.
    #[must_use]
    pub fn phrase(self) -> &'static str {
        match self {
            Status::SwitchingProtocols => "Switching Protocols",
            Status::Ok => "OK",
            Status::BadRequest => "Bad Request",
            Status::Unauthorized => "Unauthorized",
            Status::Forbidden => "Forbidden",
            Status::NotFound => "Not Found",
            Status::MethodNotAllowed => "Method Not Allowed",
            Status::RequestTimeout => "Request Timeout",
            Status::Conflict => "Conflict",
            Status::ContentTooLarge => "Content Too Large",
            Status::UriTooLong => "URI Too Long",
            Status::UpgradeRequired => "Upgrade Required",
            Status::TooManyRequests => "Too Many Requests",
            Status::HeadersTooLarge => "Request Header Fields Too Large",
            Status::NotImplemented => "Not Implemented",
            Status::ServiceUnavailable => "Service Unavailable",
            Status::VersionNotSupported => "HTTP Version Not Supported",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_listed_in_the_order_of_their_numbers() {
        assert!(Status::ALL.is_sorted_by_key(|status| status.code()));
        assert!(Status::ALL.into_iter().enumerate().all(|(i, status)| status as usize == i));
    }
}
