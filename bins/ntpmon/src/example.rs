//! A daemon to test with: one source of each kind.

use ntp_control::{Association, Client};
use ntp_wire::{AssociationId, Timestamp, WireTimestamp, control::PeerStatus};

use crate::snapshot::{Clients, Snapshot, Source, System};

/// What it says after so many answers.
pub(crate) fn snapshot(step: u32) -> Snapshot {
    let offset = f64::from(step * 7 % 11) * 0.1 - 0.4;
    let delay = 1.5 + f64::from(step * 5 % 7) * 0.05;
    let sources = [
        (
            1,
            0xf61a,
            format!(
                "srcadr=192.0.2.1, stratum=1, refid=GPS, reach=377, flash=0, hpoll=6, keyid=70000, \
                 flags=0x87f21, offset={offset:.3}, delay={delay:.3}, jitter=0.051"
            ),
        ),
        (
            2,
            0x9424,
            "srcadr=192.0.2.2, stratum=2, refid=192.0.2.1, reach=377, flash=0, hpoll=6, keyid=0, \
             offset=0.210, delay=3.911, jitter=0.101"
                .to_owned(),
        ),
        (
            3,
            0x9124,
            "srcadr=2001:db8::3, stratum=2, refid=PPS, reach=377, flash=0, hpoll=6, keyid=0, \
             offset=-812.007, delay=9.305, jitter=0.220"
                .to_owned(),
        ),
        (
            4,
            0x8011,
            "srcadr=192.0.2.4, stratum=16, refid=INIT, reach=0, flash=1000, hpoll=10, keyid=0, \
             offset=0.0, delay=0.0, jitter=0.0"
                .to_owned(),
        ),
        (
            5,
            0xd014,
            "srcadr=192.0.2.5, stratum=3, refid=192.0.2.9, reach=17, flash=10, hpoll=6, keyid=5, \
             offset=0.9, delay=2.2, jitter=0.3"
                .to_owned(),
        ),
    ];
    Snapshot {
        taken: Timestamp::from_unix(1_795_397_175 + i64::from(step) * 2, 0),
        system: System::new(
            0x0615,
            format!(
                "version=\"ntpd Meridian 0.1.0\", stratum=2, refid=192.0.2.1, rootdelay={delay:.3}, \
                 rootdisp=11.224, offset={offset:.6}, sys_jitter=0.093, frequency=-12.345, \
                 clk_wander=0.004, tc=6"
            )
            .as_bytes(),
        ),
        sources: sources
            .iter()
            .map(|(id, status, data)| {
                let association = Association {
                    id: AssociationId::new(*id),
                    status: PeerStatus::from_bits(*status),
                };
                Source::new(association, *status, data.as_bytes())
            })
            .collect(),
        more_sources: 0,
        clients: Clients::Known {
            top: (1..=3)
                .map(|last| Client {
                    address: [198, 51, 100, last].into(),
                    port: 123,
                    last: WireTimestamp::from_bits(0),
                    first: WireTimestamp::from_bits(0),
                    count: 4000 / u32::from(last),
                    mode: 3,
                    version: 4,
                    restriction: if last == 1 { 0x40 } else { 0 },
                })
                .collect(),
            read: 17,
            complete: true,
        },
    }
}
