use ntp_wire::Timestamp;
use proptest::prelude::*;

use super::*;

const VIEW: View<'_> = View::new(Timestamp::from_unix(1_795_397_175, 0));

fn response(data: &[u8]) -> Response {
    Response {
        status: 0,
        association: AssociationId::SYSTEM,
        data: data.to_vec(),
        fragments: 1,
        authentic: false,
    }
}

/// As ntpd 4.2.8p15 sent it, with a variable that means nothing.
const ANSWER: &[u8] = b"nonce=eeaedefb112f32e47d1290e1, last.0=0xeeaedef9.bcc95f3c, rs.0=0x0,\r\n\
        first.0=0xeeaedef6.1d0b6724, addr.0=127.0.0.6:4006, ct.0=5, mv.0=27,\r\n\
        H\\T.0=18446744073709502781, ct.1=1, last.1=0xeeaedefa.a3447b0c,\r\n\
        addr.1=127.0.0.7:4007, first.1=0xeeaedefa.a3447b0c, mv.1=33, rs.1=0x840,\r\n\
        ct.2=2, last.2=0xeeaedefa.d68731be, mv.2=35, rs.2=0x40,\r\n\
        addr.2=[::1]:4008, first.2=0xeeaedefa.a3486c26, now=0xeeaedefb.112fed9a,\r\n\
        last.newest=0xeeaedefa.d68731be\r\n";

#[test]
fn the_table_is_the_references() {
    let mut list = ClientList::new("");
    assert_eq!(list.take(&response(ANSWER)), Ok(true));
    assert_eq!(
        list.table(ClientOrder::Recent, false, &VIEW),
        "\
lstint avgint rstr r m v  count rport remote address
==============================================================================
     0      0   40 L 3 4      2  4008 ::1
     0      0  840 K 1 4      1  4007 127.0.0.7
     1      1    0 . 3 3      5  4006 127.0.0.6
"
    );
    let ports = |order, reversed| -> Vec<String> {
        let table = list.table(order, reversed, &VIEW);
        let column = |line: &str| line.split_whitespace().nth(7).unwrap().to_owned();
        table.lines().skip(2).map(column).collect()
    };
    assert_eq!(ports(ClientOrder::Recent, true), ["4006", "4007", "4008"]);
    assert_eq!(ports(ClientOrder::Address, false), ["4006", "4007", "4008"]);
    assert_eq!(ports(ClientOrder::Count, true), ["4006", "4008", "4007"]);
    assert_eq!(
        ports(ClientOrder::Interval, false),
        ["4007", "4008", "4006"]
    );
}

#[test]
fn the_next_piece_is_asked_for_with_the_newest_first() {
    let mut list = ClientList::new("mincount=2");
    list.take_nonce(&response(b"nonce=0123")).unwrap();
    assert_eq!(list.request().data, b"nonce=0123, frags=4, mincount=2");
    let piece = b"nonce=4567, addr.0=10.0.0.1:1, last.0=0x00000001.00000000, \
            first.0=0x00000001.00000000, ct.0=1, mv.0=35, rs.0=0x0, addr.1=10.0.0.2:2, \
            last.1=0x00000002.00000000, first.1=0x00000001.00000000, ct.1=1, mv.1=35, rs.1=0x0";
    assert_eq!(list.take(&response(piece)), Ok(false));
    assert_eq!(
        String::from_utf8(list.request().data).unwrap(),
        "nonce=4567, frags=8, mincount=2, addr.0=10.0.0.2:2, last.0=0x00000002.00000000, \
             addr.1=10.0.0.1:1, last.1=0x00000001.00000000"
    );
    // The first was heard again.
    let piece = b"nonce=89ab, addr.0=10.0.0.1:7, last.0=0x00000003.00000000, \
            first.0=0x00000001.00000000, ct.0=2, mv.0=35, rs.0=0x0";
    assert_eq!(list.take(&response(piece)), Ok(false));
    assert_eq!((list.len(), list.updates()), (2, 1));
    let newest: Vec<u16> = list.newest().map(|client| client.port).collect();
    assert_eq!(newest, [7, 2]);
    assert!(!list.go_back());
}

#[test]
fn a_server_that_plays_games_is_left() {
    let mut list = ClientList::new("");
    assert_eq!(list.take(&response(b"")), Err(ClientListError::NoNonce));
    let nonce = response(b"nonce=\"x y\"");
    assert_eq!(list.take_nonce(&nonce), Err(ClientListError::NoNonce));
    let piece = response(b"nonce=4567");
    let end = (0..100).find_map(|_| list.take(&piece).err());
    assert_eq!(end, Some(ClientListError::NoProgress));
}

proptest! {
    #[test]
    fn any_answer_is_taken_or_not(data in "[a-z.0-9=, \\[\\]:\\n]{0,300}") {
        let mut list = ClientList::new("");
        let _ = list.take(&response(data.as_bytes()));
        prop_assert!(list.request().data.len() <= Fragment::LONGEST);
        let _ = list.table(ClientOrder::Interval, true, &VIEW);
    }
}

/// Rows of the clients 10.0.0.0 and following, as many as fit an answer, heard in that second.
fn rows(first: u32, count: u32, second: u32) -> Vec<u8> {
    let mut text = "nonce=4567".to_owned();
    for (index, number) in (first..first + count).enumerate() {
        let address = std::net::Ipv4Addr::from_bits(0x0a00_0000 + number);
        text += &format!(
            ", addr.{index}={address}:1, last.{index}=0x{second:08x}.00000000, \
             first.{index}=0x00000001.00000000, ct.{index}=1, mv.{index}=35, rs.{index}=0x0"
        );
    }
    text.into_bytes()
}

#[test]
fn clients_that_repeat_for_ever_end_the_list() {
    let mut list = ClientList::new("");
    let end = (0..100).find_map(|_| list.take(&response(&rows(0, 200, 7))).err());
    assert_eq!(end, Some(ClientListError::NoProgress));
    assert_eq!(list.len(), 200);
}

#[test]
fn clients_that_are_always_new_end_the_list() {
    let mut list = ClientList::new("");
    list.most = 1000;
    let end = (0..100).find_map(|piece| list.take(&response(&rows(200 * piece, 200, 7))).err());
    assert_eq!(end, Some(ClientListError::TooMany));
    assert_eq!(list.len(), 1000);
}

/// Forwards or backwards: what is kept of them is bounded.
#[test]
fn clients_whose_times_run_end_the_list() {
    for step in [1, -1] {
        let mut list = ClientList::new("");
        let end = (0..1000).find_map(|piece| {
            let second = (1_000_000 + step * piece) as u32;
            list.take(&response(&rows(0, 200, second))).err()
        });
        assert_eq!(end, Some(ClientListError::TooManyUpdates));
        assert_eq!(list.len(), 200);
        assert!(list.order.len() < 12_000, "{}", list.order.len());
    }
}
