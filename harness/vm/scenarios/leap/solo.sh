# The first second of 2017.
midnight=1483228800
conf="server 10.99.0.1 iburst minpoll 4 maxpoll 4"
case $vm_boot in
1) # The server announces a second to be inserted.
    leap=$midnight flag=INS tai="0 1"
    ;;
2) # Only the file knows.
    leap="$midnight silently" flag=INS tai="36 37"
    conf="$conf
leapfile /vm/scenario/leap-seconds.list"
    ;;
3) # The server announces that 23:59:59 is left out.
    leap=-$midnight flag=DEL tai="0 -1"
    ;;
esac

echo "$conf" | configure
# Two words perhaps.
# shellcheck disable=SC2086
guestclock simulate /run/truth 10.99.0.1 0 0.02 $leap &
sleep 1
daemon -c /etc/ntp.conf
until_ok 60 kernel_flag $flag || fail "the kernel was not told: $(guestclock state)"
say "$(date -u +%T): $(guestclock state)"
[ "$(date -u +%s)" -lt $((midnight - 20)) ] || fail "too late"

sleep $((midnight - 10 - $(date -u +%s)))
guestclock watch 150 100 > "$out/watch"
# Each second and state once.
sed 's/\.[0-9]* / /; s/ frequency.* / /' "$out/watch" | uniq
sleep 300
say "$(date -u +%T): $(guestclock error /run/truth) s off; $(guestclock state)"

# seen PATTERN TIME: whether a line of the second TIME has it.
seen() {
    grep "^time=$2\." "$out/watch" | grep -q "$1"
}
last=$((midnight - 1))
seen "state=$flag" $((midnight - 2)) || fail "the kernel did not have it before it"
if [ $flag = INS ]; then
    seen state=INS $last && seen state=OOP $last || fail "23:59:59 was not there twice"
else
    ! seen . $last || fail "23:59:59 was not left out"
fi
seen state=WAIT $midnight || fail "no leap second was made"
# TAI - UTC, the first and the last that were seen.
set -- "$(field tai < "$out/watch" | sed -n 1p)" "$(field tai < "$out/watch" | tail -n 1)"
[ "$*" = "$tai" ] || fail "TAI offsets $*, not $tai"

error=$(guestclock error /run/truth)
holds "$error < 0.010 && $error > -0.010" || fail "$error s off after it"
! logged clock_step || fail "the clock was stepped"
! kernel_flag $flag || fail "it would be done again"
[ "$(kernel state)" = OK ] || fail "the kernel still waits"
kernel_synchronised || fail "the kernel believes that it is not synchronised"
running || fail "ntpd has ended"
