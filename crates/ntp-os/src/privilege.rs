//! Less than root: a user of its own, two capabilities, a root directory of its own.

use std::{ffi::CString, io, path::Path};

use caps::{CapSet, Capability};
use nix::{
    errno::Errno,
    sys::prctl,
    unistd::{Gid, Group, Uid, User, chdir, chroot, initgroups, setgid, setgroups, setuid},
};

/// Who to become, found before [`change_root`] puts the list of users out of reach.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    uid: Uid,
    gid: Gid,
    /// Whose further groups to take; a number that has no name has none.
    name: Option<CString>,
}

impl Account {
    /// The account of `user`, `user:group` or `:group`, by name or by number (`-u`). Without a
    /// group it is the user's own; without a user it is the one that runs the program.
    ///
    /// # Errors
    ///
    /// [`AccountError`] if there is no such user or group.
    pub fn find(text: &str) -> Result<Self, AccountError> {
        let (user, group) = match text.split_once([':', '.']) {
            Some((user, group)) => (user, Some(group)),
            None => (text, None),
        };
        let group = group.map(find_group).transpose()?;
        if user.is_empty() {
            return Ok(Self {
                uid: Uid::effective(),
                gid: group.ok_or(AccountError::Empty)?,
                name: None,
            });
        }
        let found = match user.parse() {
            Ok(number) => User::from_uid(Uid::from_raw(number)),
            Err(_) => User::from_name(user),
        };
        let found = found.map_err(|errno| AccountError::Unreadable(errno.into()))?;
        match (found, user.parse()) {
            (Some(found), _) => Ok(Self {
                uid: found.uid,
                gid: group.unwrap_or(found.gid),
                name: CString::new(found.name).ok(),
            }),
            (None, Ok(number)) => Ok(Self {
                uid: Uid::from_raw(number),
                gid: group.ok_or(AccountError::GroupNeeded(number))?,
                name: None,
            }),
            (None, Err(_)) => Err(AccountError::NoUser(user.to_owned())),
        }
    }

    /// The number of the user.
    pub fn user(&self) -> u32 {
        self.uid.as_raw()
    }

    /// The number of the group.
    pub fn group(&self) -> u32 {
        self.gid.as_raw()
    }

    /// Becomes this user for good, keeping only the right to set the clock if `keeps_clock`, and
    /// to bind to ports under 1024. Threads started before keep what they have: call it first.
    ///
    /// # Errors
    ///
    /// [`PrivilegeError`] with the step that failed; the program should end then.
    pub fn assume(&self, keeps_clock: bool) -> Result<(), PrivilegeError> {
        let wanted: caps::CapsHashSet = [
            keeps_clock.then_some(Capability::CAP_SYS_TIME),
            Some(Capability::CAP_NET_BIND_SERVICE),
        ]
        .into_iter()
        .flatten()
        .collect();
        // What the program never had, as in many containers, it cannot keep.
        let held = caps::read(None, CapSet::Permitted)?;
        let kept = wanted.intersection(&held).copied().collect();

        let step = |step, result: Result<(), Errno>| {
            result.map_err(|errno| PrivilegeError::Refused {
                step,
                source: errno.into(),
            })
        };
        step("keep capabilities", prctl::set_keepcaps(true))?;
        match &self.name {
            Some(name) => step("take the user's groups", initgroups(name, self.gid))?,
            None => step("leave other groups", setgroups(&[self.gid]))?,
        }
        step("change the group", setgid(self.gid))?;
        step("change the user", setuid(self.uid))?;
        step("stop keeping capabilities", prctl::set_keepcaps(false))?;
        caps::clear(None, CapSet::Inheritable)?;
        caps::set(None, CapSet::Effective, &kept)?;
        caps::set(None, CapSet::Permitted, &kept)?;
        step("refuse new privileges", prctl::set_no_new_privs())
    }
}

fn find_group(text: &str) -> Result<Gid, AccountError> {
    if let Ok(number) = text.parse() {
        return Ok(Gid::from_raw(number));
    }
    Group::from_name(text)
        .map_err(|errno| AccountError::Unreadable(errno.into()))?
        .map(|group| group.gid)
        .ok_or_else(|| AccountError::NoGroup(text.to_owned()))
}

/// Makes `directory` the root directory of the process (`-i`), and goes there. Look up the
/// [`Account`] first, and open what must stay within reach: the system log, the time zone.
///
/// # Errors
///
/// What the system says.
pub fn change_root(directory: &Path) -> io::Result<()> {
    chdir(directory)?;
    chroot(".")?;
    chdir("/")?;
    Ok(())
}

/// Why there is no such account.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// Neither user nor group.
    #[error("the user is missing: write USER, USER:GROUP or :GROUP")]
    Empty,
    /// No user of this name.
    #[error("there is no user '{0}'")]
    NoUser(String),
    /// No group of this name.
    #[error("there is no group '{0}'")]
    NoGroup(String),
    /// A number that is nobody's.
    #[error("user {0} has no entry and so no group: write {0}:GROUP")]
    GroupNeeded(u32),
    /// The list of users cannot be read.
    #[error("cannot read the list of users: {0}")]
    Unreadable(io::Error),
}

/// Why the process is not who it should be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrivilegeError {
    /// A step was refused.
    #[error("cannot {step}: {source}; only root can become somebody else")]
    Refused {
        /// What was tried.
        step: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Capabilities were refused.
    #[error("cannot keep the capabilities that are needed: {0}")]
    Capabilities(#[from] caps::errors::CapsError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_found_by_name_and_number() {
        let root = Account::find("root").unwrap();
        assert_eq!((root.user(), root.group()), (0, 0));
        assert_eq!(Account::find("0").unwrap(), root);
        let mixed = Account::find("root:7").unwrap();
        assert_eq!((mixed.user(), mixed.group()), (0, 7));
        let nameless = Account::find("3999999:3999998").unwrap();
        assert_eq!((nameless.user(), nameless.group()), (3_999_999, 3_999_998));
        let group = Account::find(":root").unwrap();
        assert_eq!(
            (group.user(), group.group()),
            (Uid::effective().as_raw(), 0)
        );
    }

    #[test]
    fn what_is_missing_is_told() {
        for (text, message) in [
            ("", "the user is missing"),
            (":", "there is no group ''"),
            ("no-such-user", "there is no user 'no-such-user'"),
            ("root:no-such-group", "there is no group 'no-such-group'"),
            ("3999999", "write 3999999:GROUP"),
            ("-1", "there is no user '-1'"),
        ] {
            let error = Account::find(text).unwrap_err().to_string();
            assert!(error.contains(message), "{text}: {error}");
        }
    }
}
