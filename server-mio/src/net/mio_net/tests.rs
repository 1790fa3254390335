//! Tests of the real network.
use super::*;

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// Waits until something is reported that `wanted` likes.
fn wait_for(net: &mut MioNet, wanted: impl Fn(&Ready) -> bool) -> Ready {
    let deadline = net.now() + 10_000;
    let mut ready = Vec::new();
    while net.now() < deadline {
        net.wait(Some(deadline), &mut ready).unwrap();
        if let Some(found) = ready.iter().find(|event| wanted(event)) {
            return *found;
        }
    }
    panic!("not among {ready:?}");
}

/// Both ends of a connection, ours registered under 7.
fn connected(net: &mut MioNet) -> (std::net::TcpStream, MioSocket) {
    let client = std::net::TcpStream::connect(net.local_addresses(ListenerKind::Public).unwrap()[0]).unwrap();
    wait_for(net, |event| *event == Ready::Acceptable);
    let Accepted { mut socket, remote, listener } = net.accept().unwrap();
    assert_eq!(listener, ListenerKind::Public);
    assert_eq!(remote, Some(client.local_addr().unwrap()));
    assert!(matches!(&socket.stream, Stream::Tcp(stream) if stream.nodelay().unwrap()));
    net.register(&mut socket, 7).unwrap();
    (client, socket)
}

#[test]
fn all_addresses_share_one_free_port() {
    let Ok(net) = MioNet::bind(&[LOOPBACK, SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, 0))]) else {
        panic!("IPv4 loopback is everywhere");
    };
    let addresses = net.local_addresses(ListenerKind::Public).unwrap();
    assert!(addresses.iter().all(|address| address.port() == addresses[0].port() && address.port() != 0));
}

#[test]
fn a_port_in_use_is_named_in_the_error() {
    let net = MioNet::bind(&[LOOPBACK]).unwrap();
    let taken = net.local_addresses(ListenerKind::Public).unwrap()[0];
    let error = MioNet::bind(&[taken]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().starts_with(&taken.to_string()), "{error}");
    assert_eq!(MioNet::bind(&[]).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn who_comes_by_the_admin_address_is_known_by_it_and_goes_first() {
    let mut net = MioNet::bind(&[LOOPBACK]).unwrap();
    net.bind_admin(LOOPBACK).unwrap();
    let address = |listener| net.local_addresses(listener).unwrap()[0];
    let (public, admin) = (address(ListenerKind::Public), address(ListenerKind::Admin));
    let _clients = [public, admin].map(|to| std::net::TcpStream::connect(to).unwrap());
    while net.listeners.iter().any(|bound| !bound.is_pending) {
        net.wait(None, &mut Vec::new()).unwrap();
    }
    assert_eq!([(); 2].map(|()| net.accept().unwrap().listener), [ListenerKind::Admin, ListenerKind::Public]);
    let error = net.bind_admin(admin).unwrap_err();
    assert!(error.to_string().starts_with(&admin.to_string()), "{error}");
}

#[test]
fn accepting_ends_with_would_block() {
    let mut net = MioNet::bind(&[LOOPBACK]).unwrap();
    assert_eq!(net.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    let _both = connected(&mut net);
    assert_eq!(net.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn bytes_are_reported_and_read_and_the_end_behind_them_too() {
    let mut net = MioNet::bind(&[LOOPBACK]).unwrap();
    let (mut client, mut socket) = connected(&mut net);
    client.write_all(b"hello").unwrap();
    drop(client);
    wait_for(&mut net, |event| *event == Ready::Readable { key: 7, hangup: true });
    let mut room = [0; 10];
    assert_eq!(net.read(&mut socket, &mut room).unwrap(), 5);
    assert_eq!(net.read(&mut socket, &mut room).unwrap(), 0);
}

#[test]
fn a_full_socket_blocks_and_is_reported_when_there_is_room_again() {
    let mut net = MioNet::bind(&[LOOPBACK]).unwrap();
    let (mut client, mut socket) = connected(&mut net);
    wait_for(&mut net, |event| *event == Ready::Writable { key: 7 });
    let chunk = vec![0; 1 << 20];
    let mut written = 0;
    loop {
        match net.write(&mut socket, &chunk) {
            Ok(count) => written += count,
            Err(error) => break assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
    std::thread::spawn(move || {
        let mut room = vec![0; 1 << 20];
        while written > 0 {
            written -= client.read(&mut room).unwrap();
        }
        // Stays open until all is read.
        drop(client);
    });
    wait_for(&mut net, |event| *event == Ready::Writable { key: 7 });
}

#[test]
fn waiting_ends_at_its_time_and_not_before() {
    let mut net = MioNet::bind(&[LOOPBACK]).unwrap();
    let until = net.now() + 30;
    net.wait(Some(until), &mut Vec::new()).unwrap();
    assert!(net.now() >= until);
    net.wait(Some(Time(0)), &mut Vec::new()).unwrap();
}

#[test]
fn inherited_listeners_are_let_go_of_when_the_end_begins_and_others_are_not() {
    let theirs = std::net::TcpListener::bind(LOOPBACK).unwrap();
    let address = theirs.local_addr().unwrap();
    let mut net = MioNet::inherit(vec![Inherited::Tcp(theirs.try_clone().unwrap())]).unwrap();
    net.bind_admin(LOOPBACK).unwrap();
    let admin = net.local_addresses(ListenerKind::Admin).unwrap()[0];
    let _first = std::net::TcpStream::connect(address).unwrap();
    wait_for(&mut net, |event| *event == Ready::Acceptable);
    assert_eq!(net.accept().unwrap().listener, ListenerKind::Public);

    net.control_handle().stop().unwrap();
    wait_for(&mut net, |event| *event == Ready::Stop);
    // It can connect, since the kernel still listens; but it is not for us.
    let second = std::net::TcpStream::connect(address).unwrap();
    let _third = std::net::TcpStream::connect(admin).unwrap();
    wait_for(&mut net, |event| *event == Ready::Acceptable);
    assert_eq!(net.accept().unwrap().listener, ListenerKind::Admin);
    assert_eq!(net.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    theirs.set_nonblocking(false).unwrap();
    assert_eq!(theirs.accept().unwrap().1, second.local_addr().unwrap(), "it waits for our successor");
    assert_eq!(MioNet::inherit(Vec::new()).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn what_is_not_for_the_network_wakes_the_loop_and_waits_for_whom_it_is_for() {
    let mut net = MioNet::bind(&[LOOPBACK]).unwrap();
    net.control_handle().send(Control::Reload).unwrap();
    let mut ready = Vec::new();
    net.wait(None, &mut ready).unwrap();
    assert_eq!(ready, []);
    assert!(matches!(net.control_handle().take(|_| true), Some(Control::Reload)));
}

#[test]
fn a_stop_from_another_thread_wakes_the_loop() {
    let mut net = MioNet::bind(&[LOOPBACK]).unwrap();
    let control = net.control_handle();
    std::thread::spawn(move || control.stop().unwrap());
    wait_for(&mut net, |event| *event == Ready::Stop);
}
