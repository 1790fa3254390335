//! From a path to a page.

use crate::http::pages::{self, Vitals};
use crate::http::{Answer, Method, Refusal, Request, Status};

/// Makes the answer of one path.
type Page = fn(&Vitals<'_>) -> Answer;

/// What can be fetched. A new page is one line here and one file in `pages/`.
const PAGES: [(&str, Page); 4] = [
    ("/", pages::root::page),
    ("/health", pages::health::page),
    ("/metrics", pages::metrics::page),
    ("/stats", pages::stats::page),
];

/// Where peers signal without a WebSocket: by `GET` and `POST`, which the core answers.
pub(crate) const SIGNALING: &str = "/signaling";

/// Whether the core answers a request.
pub(crate) fn is_signaling(request: &Request<'_>) -> bool {
    request.path() == SIGNALING && matches!(request.method, Method::Get | Method::Post)
}

/// Answers a request that is no WebSocket handshake.
pub(crate) fn respond(request: &Request<'_>, vitals: &Vitals<'_>) -> Answer {
    match request.method {
        Method::Options => preflight(),
        Method::Unknown => {
            Answer::refusal(Refusal { status: Status::NotImplemented, text: "Method is not known" })
        }
        Method::Get | Method::Head | Method::Post | Method::Known => {
            let page = PAGES.iter().find(|(path, _)| *path == request.path());
            match page {
                None if request.path() == SIGNALING => Answer {
                    lines: "Allow: GET, POST, OPTIONS\r\n",
                    ..Answer::text(Status::MethodNotAllowed, "Only GET, POST and OPTIONS")
                },
                None => Answer::refusal(Refusal { status: Status::NotFound, text: "Nothing here" }),
                Some(_) if matches!(request.method, Method::Post | Method::Known) => {
                    Answer::refusal(Refusal {
                        status: Status::MethodNotAllowed,
                        text: "Only GET, HEAD and OPTIONS",
                    })
                }
                Some((_, page)) => page(vitals),
            }
        }
    }
}

/// The answer to `OPTIONS`, for every path, since browsers ask before they send a request with a token.
fn preflight() -> Answer {
    Answer {
        lines: "Allow: GET, HEAD, POST, OPTIONS\r\n\
                Access-Control-Allow-Methods: GET, HEAD, POST, OPTIONS\r\n\
                Access-Control-Allow-Headers: Authorization, Content-Type\r\n\
                Access-Control-Max-Age: 86400\r\n",
        ..Answer::text(Status::Ok, "")
    }
}
