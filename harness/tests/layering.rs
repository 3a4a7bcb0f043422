//! Who may depend on whom: dependencies point one way, and only ntp-os reaches the system.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// The floors of the house: a crate may depend on those of lower floors only.
const FLOORS: &[(&str, u8)] = &[
    ("ntp-plot", 0),
    ("ntp-wire", 0),
    ("ntp-keys", 1),
    ("ntp-restrict", 1),
    ("ntp-discipline", 1),
    ("ntp-autokey", 2),
    ("ntp-conf", 2),
    ("ntp-nts", 2),
    ("ntp-control", 3),
    ("ntp-engine", 3),
    ("ntp-os", 3),
    ("ntp-sim", 4),
];

/// The only crate that touches the system, and the only ones of ours that it may know.
const SYSTEM: &str = "ntp-os";
const KNOWN_TO_SYSTEM: &[&str] = &["ntp-wire", "ntp-discipline"];

/// What reaches the system; nothing in `crates/` but ntp-os may name it.
const REACHES_THE_SYSTEM: &[&str] = &[
    "async-std",
    "caps",
    "getrandom",
    "libc",
    "mio",
    "nix",
    "rustix",
    "signal-hook",
    "smol",
    "socket2",
    "tokio",
    "windows-sys",
];

fn metadata() -> Metadata {
    MetadataCommand::new()
        .no_deps()
        .other_options(vec!["--offline".into()])
        .exec()
        .unwrap()
}

/// What each package in `crates/` depends on, tests and build scripts left out.
fn libraries(metadata: &Metadata) -> BTreeMap<&str, BTreeSet<&str>> {
    metadata
        .workspace_packages()
        .into_iter()
        .filter(|package| is_library(package))
        .map(|package| {
            let dependencies = package
                .dependencies
                .iter()
                .filter(|dependency| dependency.kind == DependencyKind::Normal)
                .map(|dependency| dependency.name.as_str())
                .collect();
            (package.name.as_str(), dependencies)
        })
        .collect()
}

fn is_library(package: &Package) -> bool {
    package
        .manifest_path
        .components()
        .any(|part| part.as_str() == "crates")
}

fn floor(name: &str) -> Option<u8> {
    FLOORS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, floor)| *floor)
}

#[test]
fn dependencies_point_one_way() {
    let metadata = metadata();
    let libraries = libraries(&metadata);
    assert!(libraries.len() >= 10, "{libraries:?}");
    for (name, dependencies) in &libraries {
        let own = floor(name).unwrap_or_else(|| panic!("{name} has no floor: say which it is"));
        for other in dependencies {
            let Some(below) = floor(other) else {
                assert!(
                    !libraries.contains_key(other),
                    "{other} has no floor: say which it is"
                );
                continue;
            };
            assert!(below < own, "{name} depends on {other}, which is not below");
            assert!(
                *name != SYSTEM || KNOWN_TO_SYSTEM.contains(other),
                "{SYSTEM} depends on {other}"
            );
            assert_ne!(*other, SYSTEM, "{name} reaches the system by {SYSTEM}");
        }
    }
}

#[test]
fn only_one_library_reaches_the_system() {
    let metadata = metadata();
    for (name, dependencies) in libraries(&metadata) {
        if name == SYSTEM {
            assert!(dependencies.contains("libc"), "the list is of another time");
            continue;
        }
        for other in dependencies {
            assert!(
                !REACHES_THE_SYSTEM.contains(&other),
                "{name} depends on {other}: what it wants from it is an argument"
            );
        }
    }
}

/// Programs share libraries, not each other.
#[test]
fn no_library_needs_a_program() {
    let metadata = metadata();
    let programs: BTreeSet<&str> = metadata
        .workspace_packages()
        .into_iter()
        .filter(|package| !is_library(package))
        .map(|package| package.name.as_str())
        .collect();
    assert!(programs.contains("ntpd"), "{programs:?}");
    for package in metadata.workspace_packages() {
        for dependency in &package.dependencies {
            assert!(
                !programs.contains(dependency.name.as_str()),
                "{} depends on {}",
                package.name,
                dependency.name
            );
        }
    }
}

/// The fuzz targets are a workspace of their own, with a lock file that a new dependency of a
/// library makes stale, and CI builds them with `--locked`.
#[test]
fn the_lock_file_of_the_fuzz_targets_knows_every_dependency() {
    let metadata = metadata();
    let path = metadata.workspace_root.join("fuzz/Cargo.lock");
    let text = std::fs::read_to_string(path).unwrap();
    let locked: Vec<LockedPackage<'_>> = text
        .split("[[package]]")
        .skip(1)
        .map(LockedPackage::read)
        .collect();
    let mut seen = 0;
    for package in metadata.workspace_packages() {
        if !locked.iter().any(|one| one.name == package.name.as_str()) {
            continue;
        }
        for dependency in &package.dependencies {
            if dependency.kind == DependencyKind::Development || dependency.optional {
                continue;
            }
            seen += 1;
            assert!(
                locked.iter().any(|one| one.name == dependency.name
                    && dependency.req.matches(&one.version.parse().unwrap())),
                "fuzz/Cargo.lock lacks {} {} of {}: run `cargo update --workspace` in fuzz/",
                dependency.name,
                dependency.req,
                package.name
            );
        }
    }
    assert!(seen > 20, "only {seen} dependencies compared");
}

/// One entry of a lock file.
struct LockedPackage<'a> {
    name: &'a str,
    version: &'a str,
}

impl<'a> LockedPackage<'a> {
    fn read(entry: &'a str) -> Self {
        let value = |key: &str| {
            entry
                .lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "))
                .unwrap_or_else(|| panic!("no {key} in {entry}"))
                .trim_matches('"')
        };
        Self {
            name: value("name"),
            version: value("version"),
        }
    }
}
