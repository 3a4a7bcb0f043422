case $vm_boot in
1) word=precise conf= ;;
2) word=classic conf="discipline classic" ;;
esac
configure << END
server 10.99.0.1 iburst minpoll 4 maxpoll 4
$conf
END
say "discipline $word"
guestclock simulate /run/truth 10.99.0.1 25 3600 &
sleep 1

error() {
    guestclock error /run/truth
}

# error_below SECONDS
error_below() {
    now=$(error)
    holds "$now < $1 && $now > -$1"
}

steps() {
    grep -c clock_step /var/log/ntpd.log || true
}

daemon -g -c /etc/ntp.conf
until_ok 60 error_below 0.010 || fail "an hour off, and not corrected: $(error)"
logs_within 1 clock_step
until_ok 600 kernel_synchronised || fail "the kernel believes that it is not synchronised"
say "$(error) s off; $(guestclock state)"
estimate=$(kernel esterror)
holds "$estimate > 1 && $estimate < 10000" || fail "estimated error $estimate us"

sleep 3600
say "after an hour $(error) s off; $(guestclock state)"
error_below 0.005 || fail "the clock is not kept"
frequency=$(kernel frequency)
holds "$frequency > 10 && $frequency < 40" || fail "frequency $frequency ppm, not about 25"
maximum=$(kernel maxerror)
holds "$maximum > 0 && $maximum < 1000000" || fail "maximum error $maximum us"
[ "$(steps)" = 1 ] || fail "$(steps) steps, not 1"

# Less than what is stepped: the frequency brings it back, so that time never jumps.
guestclock shift /run/truth 0.08
say "the server jumps: $(error) s off"
sleep 60
say "$(error) s off; $(guestclock state)"
minutes=1
until error_below 0.010; do
    [ $minutes -lt 180 ] || fail "80 ms off, and not slewed: $(error)"
    minutes=$((minutes + 1))
    sleep 60
done
say "$(error) s off after $minutes minutes; $(guestclock state)"
[ "$(steps)" = 1 ] || fail "80 ms were stepped"

# What another program did is mended; -g is not needed for it.
guestclock step -2000
until_ok 300 error_below 0.010 || fail "set by another program, and not corrected: $(error)"
say "$(error) s off"
[ "$(steps)" = 2 ] || fail "$(steps) steps, not 2"

# More than ntpd corrects by itself, and -g was for the first time only.
guestclock shift /run/truth 2000
minutes=0
while running; do
    [ $minutes -lt 60 ] || fail "ntpd goes on, 2000 s off"
    minutes=$((minutes + 1))
    sleep 60
done
code=0
wait "$daemon" || code=$?
say "ntpd ended with $code, $(error) s off"
[ $code != 0 ] || fail "and says it was well"
now=$(error)
holds "$now > -2001 && $now < -1999" || fail "the clock was set"
! kernel_synchronised || fail "the kernel believes that it is synchronised"
