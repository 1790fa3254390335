#!/bin/bash
# Runs in a fresh Debian that has just booted, as root. Installs the package beside it, uses the service as an operator
# does, upgrades and removes it. The last line of its output is `passed` if all is well.
set -euxo pipefail
cd /root

health() {
    exec 3<>/dev/tcp/127.0.0.1/3000
    ask
    exec 3<&-
}

# What is answered by whom descriptor 3 is connected to.
ask() {
    printf 'GET /health HTTP/1.0\r\n\r\n' >&3
    timeout 10 cat <&3
}

# until_true COMMAND…: at most 20 s.
until_true() {
    local deadline=$((SECONDS + 20))
    until "$@"; do
        ((SECONDS < deadline))
        sleep 0.1
    done
}

main_pid() { systemctl show --property MainPID --value peerpigeon.service; }
has_new_pid() { [[ $(main_pid) != 0 && $(main_pid) != "$1" ]] && peerpigeon-server healthcheck >/dev/null 2>&1; }
is_in_log() { journalctl --unit peerpigeon.service --output cat | grep --quiet --fixed-strings -- "$1"; }

dpkg --install package.deb
systemctl is-active peerpigeon.socket peerpigeon.service
systemctl is-enabled peerpigeon.socket peerpigeon.service
health | grep '"status":"healthy"'
peerpigeon-server healthcheck
peerpigeon-server --version
bash -n /usr/share/bash-completion/completions/peerpigeon-server
is_in_log 'handed over by the service manager'

# It runs as its own user, without any capability, and its settings are for nobody else to read.
grep "^Uid:\s$(id --user peerpigeon)\s" "/proc/$(main_pid)/status"
grep '^CapEff:\s0000000000000000$' "/proc/$(main_pid)/status"
grep '^NoNewPrivs:\s1$' "/proc/$(main_pid)/status"
[[ $(stat --format '%U:%G %a' /etc/peerpigeon/server.conf) == 'root:peerpigeon 640' ]]

# Settings by reload.
echo 'MAX_CONNECTIONS=77' >> /etc/peerpigeon/server.conf
before=$(main_pid)
systemctl reload peerpigeon.service
until_true is_in_log 'MAX_CONNECTIONS from 1000 to 77'
[[ $(main_pid) == "$before" ]]

# Who connects while it is stopped waits, and is answered by the next one.
systemctl stop peerpigeon.service
systemctl is-active peerpigeon.socket
health | grep '"status":"healthy"'
has_new_pid "$before"

# After a crash it is back at once; a process that hangs is ended by the watchdog.
before=$(main_pid)
kill -KILL "$before"
until_true has_new_pid "$before"
mkdir -p /run/systemd/system/peerpigeon.service.d
printf '[Service]\nWatchdogSec=1\n' > /run/systemd/system/peerpigeon.service.d/test.conf
systemctl daemon-reload
systemctl restart peerpigeon.service
before=$(main_pid)
# The sandbox hides nothing from the manager: it hears signs of life, so this lasts for several intervals.
sleep 3
[[ $(main_pid) == "$before" ]]
kill -STOP "$before"
until_true has_new_pid "$before"
rm -r /run/systemd/system/peerpigeon.service.d
systemctl daemon-reload

# An upgrade, while somebody asks for a page all the time: nobody is refused, and what was set stays. One request may be under way
# in the moment of the stop: taken by the server that ends, which has not read it yet.
touch asking
(
    trap '' PIPE
    answered=0 cut=0
    while [[ -e asking ]]; do
        exec 3<>/dev/tcp/127.0.0.1/3000
        answer=$(ask || true)
        exec 3<&-
        case $answer in
            *'"status":"healthy"'*) answered=$((answered + 1)) ;;
            '' | *'"status":"draining"'*) cut=$((cut + 1)) ;;
            *) exit 1 ;;
        esac
    done
    echo "$answered answered during the upgrade"
    ((answered > 0 && cut <= 1))
) &
before=$(main_pid)
dpkg --install package.deb
has_new_pid "$before"
rm asking
wait $!
grep '^MAX_CONNECTIONS=77$' /etc/peerpigeon/server.conf

dpkg --remove peerpigeon-server
! systemctl is-active --quiet peerpigeon.socket
! health
[[ -e /etc/peerpigeon/server.conf ]]
dpkg --purge peerpigeon-server
[[ ! -e /etc/peerpigeon && ! -e /usr/bin/peerpigeon-server && ! -e /etc/systemd/system/sockets.target.wants/peerpigeon.socket ]]
echo passed
