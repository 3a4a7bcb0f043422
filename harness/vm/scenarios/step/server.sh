configure << END
server 127.127.1.0
fudge 127.127.1.0 stratum 1
END
guestclock serve &
daemon -c /etc/ntp.conf
until_ok 20 synchronised || fail "the server did not take its local clock"
post ready
await client end 60
