//! From a path to a page.

use crate::http::page_access::{Audience, NOTHING_HERE, PageAccess, PageRules};
use crate::http::pages;
use crate::http::request::{is_token, list};
use crate::http::{Answer, HttpRefusal, HttpRequest, Method, Status};
use crate::observe::{self, Snapshot};

/// Something that can be fetched.
struct Page {
    path: &'static str,
    access: PageAccess,
    make: fn(&Snapshot<'_>) -> Answer,
}

/// What can be fetched. A new page is one line here and one file in `pages/`, or in `observe/` if it tells about the server.
const PAGES: [Page; 10] = [
    Page { path: "/", access: PageAccess::Everywhere, make: pages::root::page },
    Page { path: "/client.js", access: PageAccess::Public, make: pages::client::script },
    Page { path: "/client.d.ts", access: PageAccess::Public, make: pages::client::types },
    Page { path: "/demo", access: PageAccess::Demo, make: pages::demo::page },
    Page { path: "/demo.js", access: PageAccess::Demo, make: pages::demo::script },
    Page { path: RELAYS, access: PageAccess::Public, make: pages::relays::page },
    Page { path: HEALTH, access: PageAccess::Everywhere, make: observe::health::page },
    Page { path: "/metrics", access: PageAccess::Operators, make: observe::metrics::page },
    Page { path: "/stats", access: PageAccess::Operators, make: observe::stats::page },
    Page { path: "/status", access: PageAccess::OperatorsOrLocal, make: observe::status::page },
];

/// Where peers signal without a WebSocket: by `GET` and `POST`, which the core answers.
pub(crate) const SIGNALING: &str = "/signaling";

/// What says whether the server is well: under no rate, since whoever asks is asked to ask often.
pub(crate) const HEALTH: &str = "/health";

/// Where pages of dialect PSP look for servers.
const RELAYS: &str = "/api/v1/relays";

/// Whether the core answers a request.
pub(crate) fn is_signaling(request: &HttpRequest<'_>) -> bool {
    request.path() == SIGNALING && matches!(request.method, Method::Get | Method::Post)
}

/// Answers a request that is no WebSocket handshake.
pub(crate) fn respond(
    request: &HttpRequest<'_>,
    audience: Audience,
    rules: &PageRules,
    snapshot: &Snapshot<'_>,
) -> Answer {
    match request.method {
        Method::Options => preflight(request),
        Method::Unknown => Answer::refusal(HttpRefusal::new(Status::NotImplemented, "Method is not known")),
        Method::Get | Method::Head | Method::Post | Method::Known => {
            let page = PAGES.iter().find(|page| page.path == request.path());
            match page {
                None if request.path() == SIGNALING => Answer {
                    lines: "Allow: GET, POST, OPTIONS\r\n".into(),
                    ..Answer::text(Status::MethodNotAllowed, "Only GET, POST and OPTIONS")
                },
                None => Answer::refusal(NOTHING_HERE),
                Some(page) => match rules.judge(page.access, audience, request) {
                    Err(refusal) => Answer::refusal(refusal),
                    // Where others enter servers; here nobody does.
                    Ok(()) if request.method == Method::Post && page.path == RELAYS => Answer::refusal(
                        HttpRefusal::new(Status::Forbidden, "This server tells of no others than itself"),
                    ),
                    Ok(()) if matches!(request.method, Method::Post | Method::Known) => Answer::refusal(
                        HttpRefusal::new(Status::MethodNotAllowed, "Only GET, HEAD and OPTIONS"),
                    ),
                    Ok(()) => (page.make)(snapshot),
                },
            }
        }
    }
}

/// The answer to `OPTIONS`, for every path, since browsers ask before they send a request with a token. Which header
/// fields a page asks for is its own affair (Fetch standard, CORS-preflight fetch): none of them does anything here that
/// the page could not do without.
fn preflight(request: &HttpRequest<'_>) -> Answer {
    let asked = request.field("Access-Control-Request-Headers").unwrap_or_default();
    let is_list = asked.len() <= MAX_ASKED_BYTES && list(asked.as_bytes()).all(is_token);
    let allowed = if is_list && !asked.is_empty() { asked } else { "Authorization, Content-Type" };
    Answer {
        lines: format!(
            "Allow: GET, HEAD, POST, OPTIONS\r\n\
             Access-Control-Allow-Methods: GET, HEAD, POST, OPTIONS\r\n\
             Access-Control-Allow-Headers: {allowed}\r\n\
             Access-Control-Max-Age: 86400\r\n"
        )
        .into(),
        ..Answer::text(Status::Ok, "")
    }
}

/// Of the names of header fields that a page asks for.
const MAX_ASKED_BYTES: usize = 1_024;
