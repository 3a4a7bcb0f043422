//! The matrix in docs/, filled by trying all of it.

use std::{collections::VecDeque, fmt::Write, path::PathBuf, sync::Mutex, thread};

use crate::{
    Ours, References, Scheme, Whose,
    cell::{Cell, Outcome, Relation},
    reference,
};

/// So many networks at once: the programs mostly wait.
const AT_ONCE: usize = 18;

const PAIRS: [(Whose, Whose); 3] = [(Ours, References), (References, Ours), (Ours, Ours)];

const START: &str = "<!-- What follows is written by the test harness/tests/autokey. -->\n";

/// Why the reference can't, where it can't: whatever the scheme, so it is tried with one.
fn obstacle(cell: &Cell) -> Option<&'static str> {
    if (cell.server, cell.client) == (Ours, Ours) {
        return None;
    }
    match cell.relation {
        Relation::ClientServer => None,
        Relation::Symmetric => Some("it can't (1)"),
        Relation::Broadcast if cell.client == References => Some("it can't (2)"),
        Relation::Broadcast => cell.ipv6.then_some("it can't (3)"),
    }
}

fn page() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/src/guide/autokey-matrix.md")
}

#[test]
fn the_matrix_in_the_documentation_is_true() {
    let Some(reference) = reference("the matrix of Autokey") else {
        return;
    };
    let mut cells = VecDeque::new();
    for relation in Relation::ALL {
        for scheme in Scheme::ALL {
            for (server, client) in PAIRS {
                for ipv6 in [false, true] {
                    let cell = Cell {
                        scheme,
                        relation,
                        server,
                        client,
                        ipv6,
                    };
                    if obstacle(&cell).is_none() || scheme == Scheme::TrustedCertificate {
                        cells.push_back(cell);
                    }
                }
            }
        }
    }
    let cells = Mutex::new(cells);
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(cell) = cells.lock().unwrap().pop_front() else {
                        return;
                    };
                    let outcome = cell.run(&reference, obstacle(&cell).is_none());
                    results.lock().unwrap().push((cell, outcome));
                }
            });
        }
    });
    let results = results.into_inner().unwrap();
    let failures: Vec<&String> = results
        .iter()
        .filter_map(|(cell, outcome)| match outcome {
            Outcome::Fails(why) if obstacle(cell).is_none() => Some(why),
            _ => None,
        })
        .collect();
    assert!(
        failures.is_empty(),
        "{}",
        failures
            .into_iter()
            .cloned()
            .collect::<Vec<_>>()
            .join("\n\n")
    );
    let table = table(&results);
    let text = std::fs::read_to_string(page()).unwrap();
    let (head, written) = text
        .split_once(START)
        .expect("the page has a place for the table");
    if std::env::var("MERIDIAN_SNAPSHOTS").as_deref() == Ok("rewrite") {
        std::fs::write(page(), format!("{head}{START}{table}")).unwrap();
        return;
    }
    assert_eq!(written, table, "MERIDIAN_SNAPSHOTS=rewrite writes it anew");
}

fn table(results: &[(Cell, Outcome)]) -> String {
    let mut text = String::from(
        "\n| mode | scheme | our server, its client | its server, our client | ours and ours |\n\
         |---|---|---|---|---|\n",
    );
    for relation in Relation::ALL {
        for scheme in Scheme::ALL {
            write!(text, "| {} | {} |", relation.name(), scheme.name()).unwrap();
            for (server, client) in PAIRS {
                let of = |ipv6| {
                    let cell = Cell {
                        scheme,
                        relation,
                        server,
                        client,
                        ipv6,
                    };
                    let result = results.iter().find(|(tried, _)| *tried == cell);
                    match result {
                        Some((_, Outcome::Works)) => "works",
                        _ => obstacle(&cell).unwrap_or("fails"),
                    }
                };
                let (ipv4, ipv6) = (of(false), of(true));
                if ipv4 == ipv6 {
                    write!(text, " {ipv4} |").unwrap();
                } else {
                    write!(text, " IPv4: {ipv4}, IPv6: {ipv6} |").unwrap();
                }
            }
            text.push('\n');
        }
    }
    text
}
