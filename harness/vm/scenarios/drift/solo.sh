configure << END
server 10.99.0.1 iburst
driftfile /keep/drift
END

if [ "$vm_boot" = 1 ]; then
    guestclock simulate /run/truth 10.99.0.1 40 0.05 &
    sleep 1
    daemon -c /etc/ntp.conf
    for hour in 1 2 3; do
        sleep 3600
        say "after $hour h: $(guestclock error /run/truth) s off; $(guestclock state)"
    done
    ntpq -pn 127.0.0.1
    ntpq -c rv 127.0.0.1
    error=$(guestclock error /run/truth)
    holds "$error < 0.001 && $error > -0.001" || fail "$error s off after three hours"
    kernel_synchronised || fail "the kernel believes that it is not synchronised"
    frequency=$(kernel frequency)
    holds "$frequency > 39.5 && $frequency < 40.5" || fail "frequency $frequency ppm, not 40"
    stop_daemon
    say "drift file: $(cat /keep/drift)"
    drift=$(cat /keep/drift)
    holds "$drift > 39.5 && $drift < 40.5" || fail "the drift file is wrong"
else
    # Nobody answers now: all there is, is the file.
    drift=$(cat /keep/drift)
    [ "$(kernel frequency)" = 0.0000 ] || fail "the kernel should have forgotten"
    daemon -c /etc/ntp.conf
    logs_within 5 freq_set
    kernel_near() {
        frequency=$(kernel frequency)
        holds "$frequency - $drift < $1 && $frequency - $drift > -$1"
    }
    # At first with what the clock missed while ntpd started, some milliseconds of that rate.
    kernel_near 1 || fail "the drift file says $drift ppm, the kernel $frequency"
    until_ok 10 kernel_near 0.001 || fail "the drift file says $drift ppm, the kernel $frequency"
    say "drift file $drift, kernel $frequency"
fi
