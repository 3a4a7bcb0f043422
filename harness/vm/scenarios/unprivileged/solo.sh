configure << END
server 10.99.0.1 iburst minpoll 3 maxpoll 3
driftfile /var/lib/ntp/drift
END
echo 7.000 > /var/lib/ntp/drift
chown -R ntp:ntp /var/lib/ntp
guestclock simulate /run/truth 10.99.0.1 0 3600 &
sleep 1
daemon -g -u ntp:ntp -c /etc/ntp.conf

corrected() {
    now=$(guestclock error /run/truth)
    holds "$now < 0.010 && $now > -0.010"
}
until_ok 30 corrected || fail "an hour off, and not corrected"
until_ok 30 kernel_synchronised || fail "the kernel believes that it is not synchronised"
say "$(guestclock error /run/truth) s off; $(guestclock state)"
grep -E '^(Uid|CapEff)' "/proc/$daemon/status"
grep -q '^Uid:.123.123.123' "/proc/$daemon/status" || fail "not the user ntp"
# The rights to set the clock (25), and to bind ports below 1024 (10) for new interfaces.
allowed=$((0x$(sed -n 's/^CapEff:.//p' "/proc/$daemon/status")))
[ $((allowed & ~(1 << 25 | 1 << 10))) = 0 ] || fail "more rights than are needed"

# It was read before ntpd became that user; it must be written after.
rm /var/lib/ntp/drift
stop_daemon
say "drift file: $(cat /var/lib/ntp/drift)"
[ "$(stat -c %U /var/lib/ntp/drift)" = ntp ] || fail "the drift file is another user's"
