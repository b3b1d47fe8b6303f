//! Checks that a folder is on a file system that is known to be local. LMDB needs memory that all processes share and
//! locks that all of them see. Any other file system may be shared by several machines, or be mounted more than once
//! with separate locks (FUSE): it is refused, unless option `localFileSystem` says that it is local.

use std::path::Path;

#[cfg(unix)]
use super::messages::cannot;
use super::messages::refused;
use crate::manager::ConnectError;

/// Fails for a folder on a file system that is not known to be local.
pub(super) fn require_local(path: &Path) -> Result<(), ConnectError> {
    match unknown(path)? {
        None => Ok(()),
        Some(kind) => Err(refused(format!(
            "{} is on a file system that is not known to be local ({kind}): processes on other machines or \
             other mounts would not see its locks. Give a folder on a local disk; if all processes use \
             one mount on one machine, option localFileSystem: true says so",
            path.display()
        ))),
    }
}

/// Returns the kind of a folder's file system, unless it is known to be local.
#[cfg(target_os = "linux")]
fn unknown(path: &Path) -> Result<Option<String>, ConnectError> {
    let found = rustix::fs::statfs(path);
    let found = found.map_err(|error| cannot("look at", path, &error.into()))?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the type differs between systems; the numbers have 32 bits"
    )]
    let magic = found.f_type as u32;
    Ok((!LOCAL.contains(&magic)).then(|| name(magic)))
}

/// The types (`statfs`) of file systems whose locks and memory are the kernel's own: from `linux/magic.h` and the file
/// systems' own sources. docs/STORES.md lists them.
#[cfg(target_os = "linux")]
const LOCAL: [u32; 16] = [
    0xef53,      // ext2, ext3, ext4
    0x5846_5342, // xfs
    0x9123_683e, // btrfs
    0x2fc1_2fc1, // zfs
    0xf2f5_2010, // f2fs
    0xca45_1a4e, // bcachefs
    0x0102_1994, // tmpfs
    0x8584_58f6, // ramfs
    0x794c_7630, // overlayfs
    0x3153_464a, // jfs
    0x5265_4973, // reiserfs
    0x3434,      // nilfs2
    0x2405_1905, // ubifs
    0x7366_746e, // ntfs3
    0x4244,      // hfs
    0x482b,      // hfsplus
];

#[cfg(target_os = "linux")]
fn name(magic: u32) -> String {
    let name = match magic {
        0x6573_5546 => "FUSE",
        0x6969 => "nfs",
        0x517b | 0xff53_4d42 | 0xfe53_4d42 => "smb",
        0x0102_1997 => "9p",
        0x5346_414f | 0x6b41_4653 => "afs",
        0x7375_7245 => "coda",
        0x00c3_6400 => "ceph",
        0x0bd0_0bd0 => "lustre",
        0x564c => "ncp",
        0x0116_1970 => "gfs2",
        0x7461_636f => "ocfs2",
        0x786f_4256 => "vboxsf",
        _ => return format!("type 0x{magic:x}"),
    };
    name.to_owned()
}

#[cfg(any(target_os = "macos", target_os = "ios", target_os = "freebsd"))]
fn unknown(path: &Path) -> Result<Option<String>, ConnectError> {
    const LOCAL: [&str; 5] = ["apfs", "hfs", "ufs", "zfs", "tmpfs"];
    const MNT_LOCAL: u32 = 0x1000;
    let found = rustix::fs::statfs(path);
    let found = found.map_err(|error| cannot("look at", path, &error.into()))?;
    let name = found.f_fstypename.iter().take_while(|&&byte| byte != 0);
    let name: Vec<u8> = name.map(|&byte| byte as u8).collect();
    let name = String::from_utf8_lossy(&name).into_owned();
    let is_local = found.f_flags as u32 & MNT_LOCAL != 0 && LOCAL.contains(&name.as_str());
    Ok((!is_local).then_some(name))
}

/// Accepts a drive letter as a local disk: the path is canonical, so that a letter of a network drive has become the
/// name of the share.
#[cfg(windows)]
fn unknown(path: &Path) -> Result<Option<String>, ConnectError> {
    use std::path::{Component, Prefix};
    let prefix = match path.components().next() {
        Some(Component::Prefix(prefix)) => prefix,
        _ => return Err(refused(format!("{} has no drive", path.display()))),
    };
    Ok(match prefix.kind() {
        Prefix::Disk(_) | Prefix::VerbatimDisk(_) => None,
        Prefix::UNC(..) | Prefix::VerbatimUNC(..) => Some("a share".to_owned()),
        _ => Some("no drive".to_owned()),
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_to_be_local_has_a_name_or_a_number() {
        for (magic, kind) in [(0x6969, "nfs"), (0xff53_4d42, "smb"), (0x6573_5546, "FUSE")] {
            assert_eq!(name(magic), kind);
            assert!(!LOCAL.contains(&magic));
        }
        assert_eq!(name(0x1234), "type 0x1234");
    }

    #[test]
    fn a_file_system_that_nobody_has_put_on_the_list_is_refused() {
        let ConnectError::Refused(words) = require_local(Path::new("/proc")).unwrap_err() else {
            panic!("not refused");
        };
        assert!(words.contains("localFileSystem"), "{words}");
        assert_eq!(require_local(&std::env::temp_dir()), Ok(()));
    }
}
