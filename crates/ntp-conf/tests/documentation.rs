//! The reference pages say what the table of directives says.

use ntp_conf::{DIRECTIVES, Standing};

const INDEX: &str = include_str!("../../../docs/src/reference/README.md");

#[test]
fn the_index_tells_what_is_carried_out() {
    let (done, rest) = INDEX.split_once("## Understood, not carried out").unwrap();
    for directive in DIRECTIVES {
        let keyword = directive.keyword;
        match directive.standing {
            Standing::InForce => assert!(done.contains(&format!("| [{keyword}](")), "{keyword}"),
            Standing::NotCarriedOut(what) => {
                assert!(
                    rest.contains(&format!("| `{keyword}` | {what} |")),
                    "{keyword}"
                );
            }
        }
    }
}
