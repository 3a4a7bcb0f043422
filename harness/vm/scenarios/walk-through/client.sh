configure << END
server 10.0.0.1 iburst autokey
crypto pw linux randfile /dev/urandom
keysdir /etc/ntp
logfile /var/log/ntpd.log
END
await server ready 60
cd /etc/ntp
cp /out/ntpkey_IFFkey_server.3426035707 .
chmod 600 ntpkey_IFFkey_server.3426035707

ntp-keygen -H -p linux
ln -s ntpkey_IFFkey_server.3426035707 ntpkey_iff_server
ln -s ntpkey_IFFkey_server.3426035707 ntpkey_iff_client

offset() {
    guestclock offset 10.0.0.1
}
say "$(offset) s off"
holds "$(offset) > 3500" || fail "the clock should be an hour off"
ntpdate -b 10.0.0.1
off=$(offset)
holds "$off < 0.010 && $off > -0.010" || fail "$off s off"

ntpd

# The association's number is the second word of its line.
association() {
    ntpq -c as | awk '$1 == 1 { print $2 }'
}

# All client bits, IFF among them.
complete() {
    case $(ntpq -c "rv $(association) flags") in
    *7f21 | *7f23) ntpq -c as | grep -q 'yes *yes *ok *sys.peer' ;;
    *) return 1 ;;
    esac
}

code=0
until_ok 60 complete || code=$?
ntpq -c as
ntpq -c "rv 0 cert"
ntpq -c "rv $(association) flags"
cat /var/log/ntpd.log
[ $code = 0 ] || fail "not sys.peer, with auth ok and all flags"
ntpq -c "rv 0 cert" | grep -q 'cert="server server 0x5"' || fail "no certificate of the server"
grep -q 'iff server' /var/log/ntpd.log || fail "no identity exchange"

off=$(offset)
holds "$off < 0.010 && $off > -0.010" || fail "$off s off"
kernel_synchronised || fail "the kernel believes that it is not synchronised"
