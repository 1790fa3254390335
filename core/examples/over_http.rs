//! A peer without a connection: it posts what it has to say, and asks for what others said to it.
#![allow(clippy::print_stdout, reason = "an example")]

use peerpigeon_core::{ConnId, Grant, Input, LimitError, Limits, Output, Switchboard, Time, UnixMillis};

fn answer(switchboard: &mut Switchboard, input: Input<'_>) {
    switchboard.handle(Time(1), input);
    while let Some(output) = switchboard.poll_output() {
        if let Output::Reply { status, text, .. } = output {
            println!("{status} {text}");
        }
    }
}

fn main() -> Result<(), LimitError> {
    let mut switchboard = Switchboard::new(Limits::default(), UnixMillis(1_700_000_000_000), 0)?;
    let [one, two] = ["a", "b"].map(|digit| digit.repeat(40));
    let announce =
        |id: &str| format!(r#"{{"type":"announce","peerId":"{id}","networkName":"chat","data":{{}}}}"#);
    let offer = format!(
        r#"{{"type":"offer","peerId":"{one}","targetPeerId":"{two}","networkName":"chat","data":{{"sdp":"v=0"}}}}"#
    );
    // Each request comes by a connection of its own.
    for (conn, body) in (1..).map(ConnId).zip([announce(&one), announce(&two), offer]) {
        answer(&mut switchboard, Input::Posted { conn, body: &body, address: None, grant: &Grant::ANY });
    }
    let target = format!("/signaling?peerId={two}&wait=0");
    answer(&mut switchboard, Input::Polled { conn: ConnId(9), target: &target, grant: &Grant::ANY });
    Ok(())
}
