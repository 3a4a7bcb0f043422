//! The matrix in docs/, filled by trying all of it.

use std::{collections::VecDeque, fmt::Write, path::PathBuf, sync::Mutex, thread};

use crate::{
    Ours, References, Scheme, Whose,
    cell::{Cell, Outcome, Relation},
    reference,
};

/// So many networks at once: the programs mostly wait.
const AT_ONCE: usize = 10;

const PAIRS: [(Whose, Whose); 3] = [(Ours, References), (References, Ours), (Ours, Ours)];

const START: &str = "<!-- What follows is written by the test harness/tests/autokey. -->\n";

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
                    cells.push_back(Cell {
                        scheme,
                        relation,
                        server,
                        client,
                        ipv6,
                    });
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
                    let outcome = cell.run(&reference);
                    results.lock().unwrap().push((cell, outcome));
                }
            });
        }
    });
    let results = results.into_inner().unwrap();
    let failures: Vec<&String> = results
        .iter()
        .filter_map(|(_, outcome)| match outcome {
            Outcome::Fails(why) => Some(why),
            Outcome::Works => None,
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
            for pair in PAIRS {
                let of = |ipv6| {
                    results
                        .iter()
                        .find(|(cell, _)| {
                            (cell.relation, cell.scheme, cell.ipv6) == (relation, scheme, ipv6)
                                && (cell.server, cell.client) == pair
                        })
                        .map(|(_, outcome)| match outcome {
                            Outcome::Works => "works",
                            Outcome::Fails(_) => "fails",
                        })
                        .unwrap_or("not tried")
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
