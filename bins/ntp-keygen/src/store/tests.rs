use std::os::unix::fs::PermissionsExt;

use super::*;

fn file(name: &str, link: &str) -> NewFile {
    NewFile {
        kind: "test",
        name: name.to_owned(),
        link: link.to_owned(),
        text: Zeroizing::new(format!("# {name}\n")),
        mode: NewFile::PRIVATE,
    }
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn files_and_links_are_made_and_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::new(directory.path());
    store.commit(&[file("a.1", "a"), file("b.1", "b")]).unwrap();
    store.commit(&[file("a.2", "a")]).unwrap();
    assert_eq!(names(directory.path()), ["a", "a.1", "a.2", "b", "b.1"]);
    assert_eq!(fs::read_link(store.path("a")).unwrap(), Path::new("a.2"));
    let mode = fs::metadata(store.path("a")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_file_in_the_place_of_a_link_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::new(directory.path());
    for (number, text) in [(1, "made by hand"), (2, "and again")] {
        let _ = fs::remove_file(store.path("keys"));
        fs::write(store.path("keys"), text).unwrap();
        store
            .commit(&[file(&format!("keys.{number}"), "keys")])
            .unwrap();
        let saved = store.path(&format!("keys.saved-{number}"));
        assert_eq!(fs::read_to_string(saved).unwrap(), text);
        assert!(
            fs::symlink_metadata(store.path("keys"))
                .unwrap()
                .is_symlink()
        );
    }
}

/// The third link cannot be made: a directory has its name.
#[test]
fn after_a_failure_all_is_as_before() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::new(directory.path());
    store.commit(&[file("a.1", "a")]).unwrap();
    fs::write(store.path("b"), "made by hand").unwrap();
    fs::create_dir(store.path("d")).unwrap();
    let before = names(directory.path());
    let files = [
        file("a.2", "a"),
        file("b.2", "b"),
        file("c.2", "c"),
        file("d.2", "d"),
    ];
    assert!(matches!(store.commit(&files), Err(StoreError::Link { link, .. }) if link == "d"));
    assert_eq!(names(directory.path()), before);
    assert_eq!(fs::read_link(store.path("a")).unwrap(), Path::new("a.1"));
    assert_eq!(fs::read_to_string(store.path("b")).unwrap(), "made by hand");
}

#[test]
fn a_second_is_not_used_twice() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::new(directory.path());
    let first = store.moment().unwrap();
    store
        .commit(&[file(&format!("a.{}", first.filestamp), "a")])
        .unwrap();
    assert_ne!(store.moment().unwrap().filestamp, first.filestamp);
}

#[test]
fn a_link_that_leads_nowhere_is_no_missing_link() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::new(directory.path());
    assert!(store.open("host").unwrap().is_none());
    symlink("gone.1", store.path("host")).unwrap();
    assert!(matches!(
        store.open("host"),
        Err(StoreError::Dangling { .. })
    ));
    fs::write(store.path("gone.1"), "").unwrap();
    assert!(matches!(
        store.open("host"),
        Err(StoreError::Unusable { .. })
    ));
}
