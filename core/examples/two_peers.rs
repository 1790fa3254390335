//! Two peers meet and exchange an offer, without a socket or a clock: what a driver does, in forty lines.
#![allow(clippy::print_stdout, reason = "an example")]

use peerpigeon_core::{ConnId, Grant, Input, LimitError, Limits, Output, Switchboard, Time, UnixMillis};

/// Hands an input in by the first door, and takes everything out by the second.
fn handle(switchboard: &mut Switchboard, now: Time, input: Input<'_>) {
    switchboard.handle(now, input);
    while let Some(output) = switchboard.poll_output() {
        match output {
            Output::Send { conn, text } => println!("{:>5} ms  to {}: {text}", now.0, conn.0),
            Output::Close { conn, why } => println!("{:>5} ms  close {}: {}", now.0, conn.0, why.text()),
            // What an HTTP server, a WebSocket and a log would have to do.
            Output::Reply { .. }
            | Output::Ping { .. }
            | Output::Ask { .. }
            | Output::Publish { .. }
            | Output::Observe(_) => {}
        }
    }
}

fn main() -> Result<(), LimitError> {
    let mut switchboard = Switchboard::new(Limits::default(), UnixMillis(1_700_000_000_000), 0)?;
    let ids = ["a".repeat(40), "b".repeat(40)];
    for (conn, id) in (1..).map(ConnId).zip(&ids) {
        let target = format!("/?peerId={id}");
        let opened = Input::Opened { conn, target: &target, address: None, grant: &Grant::ANY };
        handle(&mut switchboard, Time(10), opened);
        let announce = r#"{"type":"announce","networkName":"chat","data":{}}"#;
        handle(&mut switchboard, Time(20), Input::Text { conn, text: announce });
    }
    let offer =
        format!(r#"{{"type":"offer","networkName":"chat","targetPeerId":"{}","data":"sdp"}}"#, ids[0]);
    handle(&mut switchboard, Time(30), Input::Text { conn: ConnId(2), text: &offer });
    // A driver sleeps until the next deadline at the latest, and then says that time has passed.
    if let Some((due, why)) = switchboard.poll_timeout() {
        println!("sleep until {} ms, for {why:?}", due.0);
        handle(&mut switchboard, due, Input::Tick);
    }
    Ok(())
}
