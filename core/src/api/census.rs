//! Gauges.

/// How much of everything there is right now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Other nodes of the cluster that can be spoken to.
    pub nodes: usize,
    /// Peers of other nodes that are known here.
    pub remote_peers: usize,
    /// Connections that the core knows, admitted or not.
    pub connections: usize,
    /// Of these, the ones that have not told yet who they are.
    pub unregistered: usize,
    /// Of these, the ones held back.
    pub held: usize,
    /// Bytes kept for held connections.
    pub held_bytes: usize,
    /// Peers that are announced.
    pub peers: usize,
    /// Networks and rooms with at least one peer.
    pub networks: usize,
    /// Of these peers, the members of rooms (dialect PSP).
    pub members: usize,
    /// Of these networks, the rooms.
    pub rooms: usize,
    /// Pairs of peers that have been introduced and are both still there.
    pub acquaintances: usize,
    /// Absent peers remembered.
    pub mailboxes: usize,
    /// Signals kept for them.
    pub mails: usize,
    /// Bytes of these.
    pub mail_bytes: usize,
    /// Messages in the inboxes of peers without a connection.
    pub shelved: usize,
    /// Bytes of these.
    pub shelved_bytes: usize,
    /// HTTP requests that wait for a message.
    pub polls: usize,
    /// Questions that the store of mail has not answered.
    pub questions: usize,
    /// Deadlines armed.
    pub timers: usize,
}
