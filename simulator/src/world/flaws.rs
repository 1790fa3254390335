//! Messages that are wrong, or at the edge of it.

use peerpigeon_core::Spelling;

use crate::scenario::Flaw;

/// Whose message it is.
pub(super) struct Author<'a> {
    pub(super) me: &'a Spelling,
    pub(super) other: &'a Spelling,
    /// The network that the author is in.
    pub(super) network: &'a str,
}

/// The text of a flaw. `{me}`, `{other}` and `{net}` stand for the author's id, another one, and its network.
pub(super) fn text(flaw: Flaw, author: &Author<'_>) -> String {
    let pattern = match flaw {
        Flaw::Empty => "",
        Flaw::NotJson => "hello",
        Flaw::Truncated => r#"{"type":"offer","targetPeerId":"{other}","networkName":"{net}","data":{"#,
        Flaw::TrailingText => r#"{"type":"ping"} {"type":"ping"}"#,
        Flaw::NotObject => r#"["type","ping"]"#,
        Flaw::NoType => r#"{"targetPeerId":"{other}","networkName":"{net}"}"#,
        Flaw::TypeNotText => r#"{"type":["ping"]}"#,
        Flaw::UnknownType => r#"{"type":"subscribe","networkName":"{net}"}"#,
        Flaw::ServerType => r#"{"type":"peer-discovered","targetPeerId":"{other}","networkName":"{net}"}"#,
        Flaw::NoTarget => r#"{"type":"offer","networkName":"{net}","data":{}}"#,
        Flaw::NullTarget => r#"{"type":"answer","targetPeerId":null,"networkName":"{net}"}"#,
        Flaw::TargetNotText => r#"{"type":"offer","targetPeerId":7,"networkName":"{net}"}"#,
        Flaw::ShortTarget => r#"{"type":"offer","targetPeerId":"abc","networkName":"{net}"}"#,
        Flaw::NotHexTarget => {
            r#"{"type":"offer","targetPeerId":"zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz","networkName":"{net}"}"#
        }
        Flaw::SelfTarget => r#"{"type":"offer","targetPeerId":"{me}","networkName":"{net}","data":1}"#,
        Flaw::NetworkNotText => r#"{"type":"announce","networkName":{"name":"{net}"}}"#,
        Flaw::NullNetwork => r#"{"type":"ping","networkName":null}"#,
        Flaw::EmptyNetwork => r#"{"type":"offer","targetPeerId":"{other}","networkName":"","data":"e"}"#,
        Flaw::LongNetwork => return long_network(),
        Flaw::OtherNetwork => {
            r#"{"type":"offer","targetPeerId":"{other}","networkName":"elsewhere","data":2}"#
        }
        Flaw::EscapedNetwork => r#"{"type":"announce","networkName":"\u0067lobal","data":{"n":"\u0031"}}"#,
        Flaw::MaxPeersText => r#"{"type":"announce","networkName":"{net}","maxPeers":"many"}"#,
        Flaw::MaxPeersHuge => {
            r#"{"type":"announce","networkName":"{net}","maxPeers":99999999999999999999999}"#
        }
        Flaw::MaxPeersNegative => r#"{"type":"announce","networkName":"{net}","maxPeers":-5}"#,
        Flaw::MaxPeersFraction => r#"{"type":"announce","networkName":"{net}","maxPeers":20.0}"#,
        Flaw::DataTooLong => return long_data(author.network),
        Flaw::DataNotObject => r#"{"type":"announce","networkName":"{net}","data":["{me}"]}"#,
        Flaw::DataOtherPeer => {
            r#"{"type":"announce","networkName":"{net}","data":{"peerId":"{other}","a":{"peerId":1}}}"#
        }
        Flaw::NoData => r#"{"type":"announce","networkName":"{net}"}"#,
        Flaw::ForgedSender => {
            r#"{"type":"offer","targetPeerId":"{other}","fromPeerId":"{other}","timestamp":1,"networkName":"{net}","data":3}"#
        }
        Flaw::DuplicateKeys => {
            r#"{"type":"ping","type":"answer","data":1,"targetPeerId":"{me}","targetPeerId":"{other}","data":[4],"networkName":"x","networkName":"{net}"}"#
        }
        Flaw::DeepNesting => return deep(author),
        Flaw::UpperCaseTarget => {
            r#"{"type":"ice-candidate","targetPeerId":"{OTHER}","networkName":"{net}","data":5}"#
        }
        Flaw::UnknownTarget => {
            r#"{"type":"offer","targetPeerId":"00000000000000000000000000000000000000ff","networkName":"{net}","data":6}"#
        }
        Flaw::LoneSurrogate => {
            r#"{"type":"answer","targetPeerId":"{other}","networkName":"{net}","data":{"s":"\ud800"}}"#
        }
    };
    let other = author.other.to_string();
    pattern
        .replace("{me}", &author.me.to_string())
        .replace("{other}", &other)
        .replace("{OTHER}", &other.to_ascii_uppercase())
        .replace("{net}", author.network)
}

fn long_network() -> String {
    format!(r#"{{"type":"announce","networkName":"{}"}}"#, "n".repeat(300))
}

fn long_data(network: &str) -> String {
    format!(r#"{{"type":"announce","networkName":"{network}","data":{{"pad":"{}"}}}}"#, "d".repeat(5_000))
}

/// Deeper than a recursive reader's stack.
fn deep(author: &Author<'_>) -> String {
    let (other, network) = (author.other, author.network);
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    format!(r#"{{"type":"offer","targetPeerId":"{other}","networkName":"{network}","data":{nested}}}"#)
}
