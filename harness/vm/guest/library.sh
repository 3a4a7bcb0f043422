# What the scripts of the scenarios share. They run with `set -eu` in /vm/scenario; what they
# write under $out comes back, and /keep is still there at the next boot.
# shellcheck shell=sh disable=SC2034,SC2154
out=/out/$vm_name
server=10.0.0.1

say() {
    read -r uptime _ < /proc/uptime
    echo "[$uptime] $*"
}

fail() {
    say "FAIL: $*"
    exit 1
}

# holds EXPRESSION, in which awk computes.
holds() {
    awk "BEGIN { exit !($1) }"
}

# until_ok SECONDS COMMAND...: once a second until it succeeds.
until_ok() {
    left=$1
    shift
    while [ "$left" -gt 0 ]; do
        "$@" && return 0
        left=$((left - 1))
        sleep 1
    done
    return 1
}

# Flags that the guests see of each other. Not with one guest, which has nobody to wait for.
post() {
    touch "/out/$vm_name.$1"
}

# await GUEST FLAG SECONDS
await() {
    until_ok "$3" test -e "/out/$1.$2" || fail "guest $1 did not get to: $2"
}

await_end_of_others() {
    post end
    for name in $(cat /vm/guests); do
        until_ok 300 test -e "/out/$name.end" || true
    done
}

# configure: the text of standard input is ntp.conf.
configure() {
    cat > /etc/ntp.conf
}

# daemon OPTION...: starts ntpd; what it logs goes to the log of the guest as well.
daemon() {
    say "ntpd $*"
    ntpd -n -l /var/log/ntpd.log "$@" &
    daemon=$!
}

running() {
    kill -0 "$daemon" 2>/dev/null
}

stop_daemon() {
    kill "$daemon"
    wait "$daemon" || true
}

logged() {
    grep -q -s -- "$1" /var/log/ntpd.log
}

# logs_within SECONDS PATTERN
logs_within() {
    until_ok "$1" logged "$2" || fail "no '$2' in ntpd's log"
}

# field NAME: of the line of standard input, NAME=VALUE.
field() {
    sed -n "s/.*\\b$1=\\([^ ,]*\\).*/\\1/p"
}

# kernel NAME: what the kernel says of its clock; see `guestclock state`.
kernel() {
    guestclock state | field "$1"
}

# kernel_flag NAME: whether the flag is among those of the kernel's status.
kernel_flag() {
    case ",$(kernel status)," in *",$1,"*) return 0 ;; esac
    return 1
}

kernel_synchronised() {
    ! kernel_flag UNSYNC
}

synchronised() {
    ntpq -pn 127.0.0.1 | grep -q '^\*'
}
