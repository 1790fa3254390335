#compdef peerpigeon-server
# Made from the table of settings.

_arguments \
  '--port[TCP port to listen on.]:NUMBER: ' \
  '--host[Address to listen on\: localhost is IPv4 and IPv6 loopback, 0.0.0.0 all of IPv4, \:\: everything.]:ADDRESS: ' \
  '--socket-mode[Who may connect to a Unix socket that is the HOST.]:OCTAL: ' \
  '--cors-origin[Origins of web pages that may connect, as a comma list; https\://*.example.com matches subdomains.]:LIST: ' \
  '--auth-token[Token that clients must bring as ?token= or Authorization\: Bearer; a comma list while replacing one.]:TOKEN: ' \
  '--auth-jwt-secret[Secret that JSON Web Tokens are signed with (HS256); clients bring them as they do AUTH_TOKEN.]:SECRET: ' \
  '--auth-jwt-public-key[Key that JSON Web Tokens are signed for (EdDSA).]:KEY: ' \
  '--tls-cert[Certificate for TLS, with those above it; read again when it changes.]:FILE:_files' \
  '--tls-key[Private key of TLS_CERT.]:FILE:_files' \
  '--trusted-proxies[Addresses of proxies whose X-Forwarded-For or Forwarded tells the client'\''s address.]:LIST: ' \
  '--proxy-protocol[Whether the TRUSTED_PROXIES, and whoever comes by a Unix socket, speak the PROXY protocol (1 or 2).]:WORD:(on off)' \
  '--admin-listen[Address and port of their own for /metrics, /stats and /status, which the public one then lacks.]:ADDRESS\:PORT: ' \
  '--metrics-token[Token that /metrics, /stats and /status ask for; a comma list while replacing one.]:TOKEN: ' \
  '--public-url[Where pages reach the server from outside, such as wss\://signal.example.org/ws; /api/v1/relays tells it.]:URL: ' \
  '--demo[Who may see the page /demo\: who sits at this machine, everybody, or nobody.]:WORD:(loopback on off)' \
  '--max-connections[Connections at once.]:NUMBER: ' \
  '--max-connections-per-ip[Connections at once from one address (IPv6\: from one /64).]:NUMBER: ' \
  '--connection-rate-per-ip[Connection attempts per second from one address; twice as many at once.]:NUMBER: ' \
  '--http-rate[Plain HTTP requests from one address in HTTP_WINDOW.]:NUMBER: ' \
  '--http-window[Window that HTTP_RATE is about.]:MS: ' \
  '--limit-exempt[Addresses without limits per address; a proxy on the same host would share one.]:LIST: ' \
  '--handshake-timeout[How long a client may take for its request.]:MS: ' \
  '--keep-alive-timeout[How long an HTTP connection may wait for its next request\: longer than any proxy before the server keeps one.]:MS: ' \
  '--max-handshakes[Sockets at once that are no WebSockets (yet); one more ends the one that has been silent for longest.]:NUMBER: ' \
  '--max-header-size[Size of the head of a request.]:BYTES: ' \
  '--introductions[The most peers that a newcomer is introduced to at once.]:NUMBER: ' \
  '--max-acquaintances[Peers that one peer can have been introduced to; one that has as many is passed over.]:NUMBER: ' \
  '--max-networks[Networks at once, those included that only a mailbox remembers.]:NUMBER: ' \
  '--max-network-name[Length of the name of a network.]:BYTES: ' \
  '--max-announced-data[What a peer may announce of itself.]:BYTES: ' \
  '--reintroduce-interval[How often it is looked for others for a peer that lacks links; clients listen again to whom they were told of after 5.5 minutes.]:MS: ' \
  '--duplicate-peer[When an id connects a second time\: ask the first connection for a sign of life, or close one of them.]:WORD:(challenge reject replace)' \
  '--ping-interval[Silence after which a peer is pinged; proxies drop silent connections after 55 to 60 s.]:MS: ' \
  '--pong-timeout[Silence after a ping that ends a connection.]:MS: ' \
  '--peer-timeout[Silence that ends a connection in any case.]:MS: ' \
  '--max-message-size[Size of the largest message that passes.]:BYTES: ' \
  '--max-queue-size[What may wait for one peer that reads slowly.]:BYTES: ' \
  '--memory-budget[What may wait for all peers together.]:BYTES: ' \
  '--message-rate[Messages per second from one peer.]:NUMBER: ' \
  '--message-burst[Messages that a peer may send at once before MESSAGE_RATE counts.]:NUMBER: ' \
  '--max-json-depth[How deep objects and arrays may lie in each other in a message, which is itself the first level.]:NUMBER: ' \
  '--byte-rate[Bytes of messages per second from one peer.]:BYTES: ' \
  '--byte-burst[Bytes of messages that a peer may send at once before BYTE_RATE counts.]:BYTES: ' \
  '--max-fan-out[What one message may become that goes to all acquaintances of its sender.]:BYTES: ' \
  '--message-ttl[How long a message waits for a peer.]:MS: ' \
  '--mailbox-messages[Messages kept for one peer; the oldest of whoever wrote most goes first.]:NUMBER: ' \
  '--mailbox-bytes[Size of all that is kept for one peer.]:BYTES: ' \
  '--mailbox-total-bytes[Size of all that is kept.]:BYTES: ' \
  '--mail-store[PostgreSQL database that keeps what waits for peers, across restarts and for several servers.]:URL: ' \
  '--mail-store-ca[Certificates of those who may have signed that of the database; for sslmode=verify-full.]:FILE:_files' \
  '--mail-store-timeout[How long anything waits for the database.]:MS: ' \
  '--cluster[Redis or Valkey by which several processes act as one server.]:URL: ' \
  '--cluster-prefix[What the names of the channels begin with\: who has another one is in another cluster.]:NAME: ' \
  '--cluster-ca[Certificates of those who may have signed that of the Redis; for rediss\://.]:FILE:_files' \
  '--cluster-key[Secret that all nodes share; without it, whoever can publish can speak for every peer.]:SECRET: ' \
  '--cluster-node-timeout[Silence after which another node is dead and its peers are gone.]:MS: ' \
  '--cluster-buffer[Size of all that waits for other nodes.]:BYTES: ' \
  '--cluster-peers[Peers of other nodes that are known.]:NUMBER: ' \
  '--config-file[File of lines NAME=value, read at the start and at SIGHUP; variables and flags win over it.]:FILE:_files' \
  '--cleanup-interval[How often expired state is swept.]:MS: ' \
  '--shutdown-timeout[How long saying goodbye to everybody may take after SIGTERM or SIGINT.]:MS: ' \
  '--log-level[What is logged, to standard error; peers'\'' comings and goings at debug.]:WORD:(off error warn info debug trace)' \
  '--log-format[Lines to read, or one JSON object per line.]:WORD:(text json)' \
  '--check[look the settings over, show those in force, and exit]' \
  '--help[show all flags]' \
  '--version[show the version]' \
  '1::subcommand:(token healthcheck)'
