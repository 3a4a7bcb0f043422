//! The page of ntpviz as a browser shows it, on a desk and on a telephone.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

use std::{fs, path::Path, process::Command};

use meridian_harness::{Run, built, skip};
use tempfile::TempDir;

/// By what names a browser goes that can be driven without a screen.
const BROWSERS: [&str; 3] = ["chromium", "chromium-headless-shell", "chromium-browser"];

/// Shows the page in frames of several widths, and writes down what became of it.
const PROBE: &str = r#"<!DOCTYPE html><meta charset="utf-8"><body><script>
const widths = [320, 360, 768, 1280];
let left = widths.length;
const found = {};
for (const width of widths) {
    const frame = document.createElement("iframe");
    frame.style = `width:${width}px;height:900px;border:0`;
    frame.onload = () => {
        const inside = frame.contentWindow, page = inside.document;
        const charts = [...page.querySelectorAll("svg.chart")];
        const boxes = charts.map(chart => chart.getBoundingClientRect());
        const drawn = chart => [...chart.querySelectorAll("path,polyline,line,rect")]
            .filter(shape => { const b = shape.getBBox(); return b.width + b.height > 0; }).length;
        const texts = [...page.querySelectorAll("svg.chart text")]
            .map(text => text.getBoundingClientRect());
        const words = texts.filter(box => box.width > 0).length;
        found[width] = [
            `overflow ${Math.max(0, page.documentElement.scrollWidth - inside.innerWidth)}`,
            `charts ${charts.length}`,
            `empty ${charts.filter(chart => drawn(chart) < 5).length}`,
            `narrow ${boxes.filter(box => box.width < 300).length}`,
            `small ${texts.filter(box => box.height > 0 && box.height < 9).length}`,
            `words ${words > charts.length * 4}`,
            `fetched ${inside.performance.getEntriesByType("resource").length}`,
        ].join(", ");
        if (--left === 0) {
            const lines = widths.map(width => `<p>${width}: ${found[width]}</p>`).join("");
            document.body.innerHTML = lines;
        }
    };
    frame.src = "page.html";
    document.body.append(frame);
}
</script>"#;

/// A day of a clock, and of three sources.
fn write_statistics(directory: &Path) {
    let (mut clock, mut peers) = (String::new(), String::new());
    for second in (0..86_400).step_by(128) {
        let offset = 1e-5 * (f64::from(second) / 7000.0).sin();
        clock += &format!("61367 {second}.000 {offset:.9} -17.{second:05} 0.000002 0.0010 6\n");
        for (number, address) in [(1, "192.0.2.1"), (2, "192.0.2.2"), (3, "2001:db8::3")] {
            let offset = offset * f64::from(number);
            peers +=
                &format!("61367 {second}.000 {address} 961a {offset:.9} 0.002 0.0005 0.00003\n");
        }
    }
    fs::write(directory.join("loopstats"), clock).unwrap();
    fs::write(directory.join("peerstats"), peers).unwrap();
}

fn browser() -> Option<&'static str> {
    let is_there = |name: &&str| {
        let mut command = Command::new(name);
        command.arg("--version").output().is_ok()
    };
    BROWSERS.into_iter().find(|name| is_there(name))
}

#[test]
fn a_browser_draws_the_page_at_every_width() {
    let Some(browser) = browser() else {
        skip("the page of ntpviz in a browser", "there is no chromium");
        return;
    };
    let scratch = TempDir::new().unwrap();
    let root = scratch.path();
    write_statistics(root);
    let page = root.join("page.html");
    let mut ntpviz = Command::new(built("ntpviz"));
    Run::successfully(ntpviz.arg("--output").arg(&page).arg(root));
    fs::write(root.join("probe.html"), PROBE).unwrap();
    let run = Run::of(
        // It may not hang, nor reach for anything outside.
        Command::new("timeout")
            .args(["--kill-after=5", "60", browser])
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
            ])
            .args(["--disable-background-networking", "--disable-dev-shm-usage"])
            .args(["--host-resolver-rules=MAP * ~NOTFOUND"])
            .args([
                "--allow-file-access-from-files",
                "--virtual-time-budget=20000",
            ])
            .arg(format!(
                "--user-data-dir={}",
                root.join("browser").display()
            ))
            .arg("--dump-dom")
            .arg(format!("file://{}", root.join("probe.html").display())),
    );
    assert_eq!(run.code, 0, "{run:?}");
    // Five of the clock, three of each source.
    let charts = 5 + 3 * 3;
    for width in [320, 360, 768, 1280] {
        let line = format!(
            "<p>{width}: overflow 0, charts {charts}, empty 0, narrow 0, small 0, words true, fetched 0</p>"
        );
        assert!(run.stdout.contains(&line), "{line} in {run:#?}");
    }
}
