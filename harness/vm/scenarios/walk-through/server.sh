configure << END
server 127.127.1.0
fudge 127.127.1.0 stratum 1
crypto pw redhat randfile /dev/urandom
keysdir /etc/ntp
restrict default ignore
restrict 127.0.0.1
restrict 10.0.0.0 mask 255.255.255.0 nomodify noquery
driftfile /var/lib/ntp/drift
logfile /var/log/ntpd.log
END
guestclock serve &
cd /etc/ntp
ntp-keygen -T -I -p redhat
ntp-keygen -e -q redhat -p linux > ntpkey_IFFkey_server.3426035707
cp ntpkey_IFFkey_server.3426035707 /out
ntpd
until_ok 20 synchronised || fail "the server did not take its local clock"
post ready
await client end 100
cat /var/log/ntpd.log
