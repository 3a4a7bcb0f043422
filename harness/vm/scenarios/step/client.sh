await server ready 30
before=$(guestclock offset $server)
say "$before s off"
holds "$before > 3590 && $before < 3610" || fail "the clock should be an hour off"

said=$(ntpdate -b $server)
say "$said"
case $said in
*"step time server $server offset +3"*) ;;
*) fail "that is not what ntpdate should say" ;;
esac
after=$(guestclock offset $server)
say "$after s off"
holds "$after < 0.010 && $after > -0.010" || fail "the clock is not set"
post end
