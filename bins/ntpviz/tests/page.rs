//! The program, as users run it.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

use std::{fs, path::Path, process::Command};

fn ntpviz(directory: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_ntpviz"))
        .arg(directory)
        .args(arguments)
        .output()
        .unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// A day of a clock, and of two sources, of which one was away for six hours.
fn day(directory: &Path) {
    let (mut clock, mut peers) = (String::new(), String::new());
    for second in (0..86_400).step_by(64) {
        let wave = f64::from(second) / 7000.0;
        let offset = 1e-5 * wave.sin();
        clock += &format!("61367 {second}.000 {offset:.9} -17.{second:05} 0.000002 0.0010 6\n");
        peers += &format!("61367 {second}.000 192.0.2.1 961a {offset:.9} 0.002 0.0005 0.00003\n");
        if !(20_000..41_600).contains(&second) {
            peers += &format!("61367 {second}.000 2001:db8::1 941a 0.0001 0.004 0.0005 0.00007\n");
        }
    }
    fs::write(directory.join("loopstats.20261123"), clock).unwrap();
    fs::write(directory.join("peerstats.20261123"), peers).unwrap();
}

#[test]
fn a_day_is_one_page_that_needs_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    day(directory.path());
    let (code, page, warnings) = ntpviz(directory.path(), &["--name", "<clock & co>"]);
    assert_eq!((code, warnings.as_str()), (0, ""));
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    assert!(page.contains("<h1>Time on &lt;clock &amp; co&gt;</h1>"));
    assert!(page.contains("2026-11-23 00:00 to 2026-11-23 23:58 UTC"));
    for outside in [
        "http:", "https:", "src=", "href=", "@import", "url(", "<script",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
    // Four and a histogram of the clock, three of each source.
    assert_eq!(page.matches("<svg class=\"chart\"").count(), 5 + 2 * 3);
    assert!(page.contains("<h3>2001:db8::1</h3>"));
    let rows: Vec<&str> = page
        .lines()
        .filter(|line| line.contains("<td>2001"))
        .collect();
    assert_eq!(rows.len(), 3);
    assert!(
        rows[0].matches("<td>100 µs</td>").count() >= 7,
        "{}",
        rows[0]
    );
    // The one that was away has a gap in its line.
    let strokes = |address: &str| {
        let title = format!("<title>Delay of {address}</title>");
        let chart = page.split(&title).last().unwrap();
        let path = chart.split("<path").nth(1).unwrap();
        path.split("/>").next().unwrap().matches('M').count()
    };
    assert_eq!([strokes("192.0.2.1"), strokes("2001:db8::1")], [1, 2]);
    assert!(page.len() < 400_000, "{}", page.len());
}

#[test]
fn a_part_of_the_time_can_be_chosen() {
    let directory = tempfile::tempdir().unwrap();
    day(directory.path());
    let period = |arguments: &[&str]| {
        let (code, page, _) = ntpviz(directory.path(), arguments);
        assert_eq!(code, 0);
        let line = page.lines().find(|line| line.ends_with("UTC</p>"));
        line.unwrap().to_owned()
    };
    assert_eq!(
        period(&["--from", "2026-11-23T12:00", "--to", "2026-11-23T18:00"]),
        "<p>2026-11-23 12:00 to 2026-11-23 17:59 UTC</p>"
    );
    assert_eq!(
        period(&["--days", "0.25"]),
        "<p>2026-11-23 17:59 to 2026-11-23 23:58 UTC</p>"
    );
    let (code, page, error) = ntpviz(directory.path(), &["--from", "2027-01-01"]);
    assert_eq!((code, page.as_str()), (1, ""));
    assert!(error.contains("no record"), "{error}");
    let (code, _, error) = ntpviz(directory.path(), &["--from", "soon"]);
    assert_eq!(code, 2);
    assert!(error.contains("2026-11-23T14:30"), "{error}");
}

#[test]
fn the_page_replaces_the_one_before_only_if_it_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("page.html");
    fs::write(&output, "before").unwrap();
    let name = output.to_str().unwrap();
    let (code, _, error) = ntpviz(directory.path(), &["-o", name]);
    assert_eq!(code, 1);
    assert!(error.contains("statistics loopstats peerstats"), "{error}");
    assert_eq!(fs::read_to_string(&output).unwrap(), "before");
    fs::write(
        directory.path().join("loopstats"),
        "61367 0 0 0 0 0 6\nrubbish\n",
    )
    .unwrap();
    let (code, page, error) = ntpviz(directory.path(), &["-o", name]);
    assert_eq!((code, page.as_str()), (0, ""));
    assert!(
        error.contains("loopstats records: 1, the first is line 2"),
        "{error}"
    );
    let page = fs::read_to_string(&output).unwrap();
    assert!(page.contains("There are no peerstats of that time") && !page.contains("NaN"));
}
