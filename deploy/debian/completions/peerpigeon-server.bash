# Completions of peerpigeon-server for bash. Made from the table of settings.

_peerpigeon_server() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    case $previous in
    --port)
        return
        ;;
    --host)
        return
        ;;
    --socket-mode)
        return
        ;;
    --cors-origin)
        return
        ;;
    --auth-token)
        return
        ;;
    --auth-jwt-secret)
        return
        ;;
    --auth-jwt-public-key)
        return
        ;;
    --tls-cert)
        COMPREPLY=($(compgen -f -- "$current"))
        return
        ;;
    --tls-key)
        COMPREPLY=($(compgen -f -- "$current"))
        return
        ;;
    --trusted-proxies)
        return
        ;;
    --proxy-protocol)
        COMPREPLY=($(compgen -W 'on off' -- "$current"))
        return
        ;;
    --admin-listen)
        return
        ;;
    --metrics-token)
        return
        ;;
    --public-url)
        return
        ;;
    --demo)
        COMPREPLY=($(compgen -W 'loopback on off' -- "$current"))
        return
        ;;
    --max-connections)
        return
        ;;
    --max-connections-per-ip)
        return
        ;;
    --connection-rate-per-ip)
        return
        ;;
    --http-rate)
        return
        ;;
    --http-window)
        return
        ;;
    --limit-exempt)
        return
        ;;
    --handshake-timeout)
        return
        ;;
    --keep-alive-timeout)
        return
        ;;
    --max-handshakes)
        return
        ;;
    --max-header-size)
        return
        ;;
    --introductions)
        return
        ;;
    --max-acquaintances)
        return
        ;;
    --max-networks)
        return
        ;;
    --max-network-name)
        return
        ;;
    --max-announced-data)
        return
        ;;
    --reintroduce-interval)
        return
        ;;
    --duplicate-peer)
        COMPREPLY=($(compgen -W 'challenge reject replace' -- "$current"))
        return
        ;;
    --ping-interval)
        return
        ;;
    --pong-timeout)
        return
        ;;
    --peer-timeout)
        return
        ;;
    --max-message-size)
        return
        ;;
    --max-queue-size)
        return
        ;;
    --memory-budget)
        return
        ;;
    --message-rate)
        return
        ;;
    --message-burst)
        return
        ;;
    --max-json-depth)
        return
        ;;
    --byte-rate)
        return
        ;;
    --byte-burst)
        return
        ;;
    --max-fan-out)
        return
        ;;
    --message-ttl)
        return
        ;;
    --mailbox-messages)
        return
        ;;
    --mailbox-bytes)
        return
        ;;
    --mailbox-total-bytes)
        return
        ;;
    --mail-store)
        return
        ;;
    --mail-store-ca)
        COMPREPLY=($(compgen -f -- "$current"))
        return
        ;;
    --mail-store-timeout)
        return
        ;;
    --config-file)
        COMPREPLY=($(compgen -f -- "$current"))
        return
        ;;
    --cleanup-interval)
        return
        ;;
    --shutdown-timeout)
        return
        ;;
    --log-level)
        COMPREPLY=($(compgen -W 'off error warn info debug trace' -- "$current"))
        return
        ;;
    --log-format)
        COMPREPLY=($(compgen -W 'text json' -- "$current"))
        return
        ;;
    esac
    local words='--port --host --socket-mode --cors-origin --auth-token --auth-jwt-secret --auth-jwt-public-key --tls-cert --tls-key --trusted-proxies --proxy-protocol --admin-listen --metrics-token --public-url --demo --max-connections --max-connections-per-ip --connection-rate-per-ip --http-rate --http-window --limit-exempt --handshake-timeout --keep-alive-timeout --max-handshakes --max-header-size --introductions --max-acquaintances --max-networks --max-network-name --max-announced-data --reintroduce-interval --duplicate-peer --ping-interval --pong-timeout --peer-timeout --max-message-size --max-queue-size --memory-budget --message-rate --message-burst --max-json-depth --byte-rate --byte-burst --max-fan-out --message-ttl --mailbox-messages --mailbox-bytes --mailbox-total-bytes --mail-store --mail-store-ca --mail-store-timeout --config-file --cleanup-interval --shutdown-timeout --log-level --log-format --check --help --version'
    [[ $COMP_CWORD -gt 1 ]] || words="token healthcheck $words"
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}

complete -o filenames -F _peerpigeon_server peerpigeon-server
