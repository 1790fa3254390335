//! Who asks for a page, and which pages are shown to whom.

use crate::access::{self, Tokens};
use crate::http::{HttpRefusal, HttpRequest, Status};
use crate::net::ListenerKind;
use std::net::SocketAddr;

/// Which pages are shown to whom: the settings `METRICS_TOKEN`, `ADMIN_LISTEN` and `DEMO`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageRules {
    /// The tokens that pages for operators ask for; `None`: they ask for none.
    pub tokens: Option<Tokens>,
    /// Pages for operators are shown at an address of their own, and nowhere else.
    pub has_admin_listener: bool,
    /// Who may see the demo.
    pub demo: Demo,
}

/// Who may see the demo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Demo {
    /// Who sits at this machine.
    #[default]
    Loopback,
    /// Everybody.
    On,
    /// Nobody.
    Off,
}

/// Whom a page is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageAccess {
    /// Everybody, whichever way they come.
    Everywhere,
    /// Everybody who comes by the public listener.
    Public,
    /// Whom the setting `DEMO` names.
    Demo,
    /// Operators: by the admin listener where there is one, with a token where one is set.
    Operators,
    /// Likewise; with neither listener nor token, only those who sit at this machine.
    OperatorsOrLocal,
}

/// Who asks for a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Audience {
    pub(super) listener: ListenerKind,
    /// It sits at this machine, as far as one can tell.
    is_local: bool,
}

impl Audience {
    pub(crate) fn of(
        listener: ListenerKind,
        remote: Option<SocketAddr>,
        request: &HttpRequest<'_>,
    ) -> Audience {
        let is_loopback = remote.is_some_and(|remote| remote.ip().to_canonical().is_loopback());
        Audience { listener, is_local: is_loopback && !is_forwarded(request) && names_loopback(request) }
    }
}

impl PageRules {
    /// Whether a page is for this audience.
    ///
    /// # Errors
    ///
    /// What to answer instead. To those who may not know, the page does not exist.
    pub(super) fn judge(
        &self,
        access: PageAccess,
        audience: Audience,
        request: &HttpRequest<'_>,
    ) -> Result<(), HttpRefusal> {
        let is_public = audience.listener == ListenerKind::Public;
        let exists = match access {
            PageAccess::Everywhere => true,
            PageAccess::Public => is_public,
            PageAccess::Demo => is_public && self.shows_demo(audience),
            PageAccess::Operators => !is_public || !self.has_admin_listener,
            PageAccess::OperatorsOrLocal if self.tokens.is_some() || !is_public => {
                !is_public || !self.has_admin_listener
            }
            PageAccess::OperatorsOrLocal => audience.is_local && !self.has_admin_listener,
        };
        if !exists {
            return Err(NOTHING_HERE);
        }
        match access {
            PageAccess::Everywhere | PageAccess::Public | PageAccess::Demo => Ok(()),
            PageAccess::Operators | PageAccess::OperatorsOrLocal => self.check_token(request),
        }
    }

    fn shows_demo(&self, audience: Audience) -> bool {
        match self.demo {
            Demo::Loopback => audience.is_local,
            Demo::On => true,
            Demo::Off => false,
        }
    }

    fn check_token(&self, request: &HttpRequest<'_>) -> Result<(), HttpRefusal> {
        let Some(tokens) = &self.tokens else { return Ok(()) };
        let mut text = "A token is required (METRICS_TOKEN): Authorization: Bearer … or ?token=…";
        for token in access::presented(request.target, request.field("Authorization")) {
            if tokens.contains(&token) {
                return Ok(());
            }
            text = "The token is wrong (METRICS_TOKEN)";
        }
        Err(HttpRefusal::new(Status::Unauthorized, text))
    }
}

pub(crate) const NOTHING_HERE: HttpRefusal = HttpRefusal::new(Status::NotFound, "Nothing here");

/// A proxy on the same machine connects from loopback for everybody.
pub(crate) fn is_forwarded(request: &HttpRequest<'_>) -> bool {
    ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"]
        .iter()
        .any(|name| request.fields(name).next().is_some())
}

/// A page of somebody else can have its own name resolved to loopback, but it cannot choose the `Host` that
/// the browser sends (DNS rebinding).
fn names_loopback(request: &HttpRequest<'_>) -> bool {
    let Some(host) = request.field("Host") else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let is_address = name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback());
    is_address || name.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{MAX_HEAD_BYTES, MAX_HEADERS, parse};

    /// Judges `GET /x`, with these headers, from `remote`.
    fn judge(
        rules: &PageRules,
        access: PageAccess,
        listener: ListenerKind,
        remote: &str,
        headers: &str,
    ) -> u16 {
        let head = format!("GET /x HTTP/1.1\r\n{headers}\r\n");
        let mut room = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let (request, _) = parse(head.as_bytes(), 0, &mut room, MAX_HEAD_BYTES).unwrap().unwrap();
        let audience = Audience::of(listener, remote.parse().ok(), &request);
        rules.judge(access, audience, &request).map_or_else(|refusal| refusal.status.code(), |()| 200)
    }

    const HERE: &str = "127.0.0.1:5000";
    const ELSEWHERE: &str = "192.0.2.1:5000";
    const HOST: &str = "Host: localhost:3000\r\n";

    #[test]
    fn who_sits_at_this_machine_is_told_from_who_comes_through_its_proxy() {
        let rules = PageRules::default();
        let status = |remote: &str, headers: &str| {
            judge(&rules, PageAccess::Demo, ListenerKind::Public, remote, headers)
        };
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1:3000", "[::1]:3000", "[::1]", "127.9.9.9"] {
            for remote in [HERE, "[::1]:5000", "[::ffff:127.0.0.1]:5000"] {
                assert_eq!(status(remote, &format!("Host: {host}\r\n")), 200, "{remote} {host}");
            }
            assert_eq!(status(ELSEWHERE, &format!("Host: {host}\r\n")), 404);
            assert_eq!(status("", &format!("Host: {host}\r\n")), 404);
        }
        for host in ["evil.example", "evil.example:3000", "localhost.evil.example", "192.0.2.1", "", ":80"] {
            assert_eq!(status(HERE, &format!("Host: {host}\r\n")), 404, "{host}");
        }
        for header in ["X-Forwarded-For: 192.0.2.1", "Forwarded: for=x", "X-Real-IP: 192.0.2.1", "Via: 1.1 a"]
        {
            assert_eq!(status(HERE, &format!("{HOST}{header}\r\n")), 404, "{header}");
        }
    }

    #[test]
    fn each_page_has_its_audience() {
        let open = PageRules::default();
        let token = PageRules { tokens: Tokens::parse("s3cret").ok(), ..PageRules::default() };
        let listener = PageRules { has_admin_listener: true, ..PageRules::default() };
        let both = PageRules { has_admin_listener: true, ..token.clone() };
        let bearer = format!("{HOST}Authorization: Bearer s3cret\r\n");
        // Page and rules; then what comes: here, elsewhere, elsewhere with the token, by the admin listener, and
        // there with the token.
        for (access, rules, expected) in [
            (PageAccess::Everywhere, &open, [200, 200, 200, 200, 200]),
            (PageAccess::Everywhere, &both, [200, 200, 200, 200, 200]),
            (PageAccess::Public, &both, [200, 200, 200, 404, 404]),
            (PageAccess::Operators, &open, [200, 200, 200, 200, 200]),
            (PageAccess::Operators, &token, [401, 401, 200, 401, 200]),
            (PageAccess::Operators, &listener, [404, 404, 404, 200, 200]),
            (PageAccess::Operators, &both, [404, 404, 404, 401, 200]),
            (PageAccess::OperatorsOrLocal, &open, [200, 404, 404, 200, 200]),
            (PageAccess::OperatorsOrLocal, &token, [401, 401, 200, 401, 200]),
            (PageAccess::OperatorsOrLocal, &listener, [404, 404, 404, 200, 200]),
            (PageAccess::OperatorsOrLocal, &both, [404, 404, 404, 401, 200]),
        ] {
            let found = [
                judge(rules, access, ListenerKind::Public, HERE, HOST),
                judge(rules, access, ListenerKind::Public, ELSEWHERE, HOST),
                judge(rules, access, ListenerKind::Public, ELSEWHERE, &bearer),
                judge(rules, access, ListenerKind::Admin, ELSEWHERE, HOST),
                judge(rules, access, ListenerKind::Admin, ELSEWHERE, &bearer),
            ];
            assert_eq!(found, expected, "{access:?} {rules:?}");
        }
    }

    #[test]
    fn the_demo_is_shown_as_its_setting_says_and_never_by_the_admin_listener() {
        for (demo, expected) in
            [(Demo::Loopback, [200, 404]), (Demo::On, [200, 200]), (Demo::Off, [404, 404])]
        {
            let rules = PageRules { demo, has_admin_listener: true, ..PageRules::default() };
            let found = [HERE, ELSEWHERE]
                .map(|remote| judge(&rules, PageAccess::Demo, ListenerKind::Public, remote, HOST));
            assert_eq!(found, expected, "{demo:?}");
            assert_eq!(judge(&rules, PageAccess::Demo, ListenerKind::Admin, HERE, HOST), 404);
        }
    }
}
