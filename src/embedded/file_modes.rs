//! Creates files and folders that only their owner can open, whatever the umask. The umask is the process's and is not
//! changed: the mode is given at creation, and set again on the open file.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::Path,
};

/// Opens a file for reading and writing, and makes it if it is missing.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let file = options().create(true).open(path)?;
    restrict(&file)?;
    Ok(file)
}

/// Opens a file in the same way; it must exist.
pub(super) fn open_existing(path: &Path) -> io::Result<File> {
    let file = options().open(path)?;
    restrict(&file)?;
    Ok(file)
}

/// Makes a file. An existing one of this name, or a symbolic link, is removed first and not followed.
pub(super) fn create(path: &Path) -> io::Result<File> {
    remove(path)?;
    let file = options().create_new(true).open(path)?;
    restrict(&file)?;
    Ok(file)
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes a folder and its parents if they are missing. An existing one keeps its mode.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    match make_one(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let around = path.parent().ok_or(error)?;
            make_folder(around)?;
            match make_one(path) {
                Err(_) if path.is_dir() => Ok(()),
                made => made,
            }
        }
        Err(_) if path.is_dir() => Ok(()),
        made => made,
    }
}

#[cfg(unix)]
fn make_one(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
    fs::DirBuilder::new().mode(0o700).create(path)?;
    // Sets the owner's bits that the umask has cleared.
    set(fs::set_permissions(path, fs::Permissions::from_mode(0o700)))
}

#[cfg(not(unix))]
fn make_one(path: &Path) -> io::Result<()> {
    fs::create_dir(path)
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Removes the permissions of others on a file, and gives the owner what it needs.
#[cfg(unix)]
fn restrict(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    if file.metadata()?.permissions().mode() & 0o777 == 0o600 {
        return Ok(());
    }
    set(file.set_permissions(fs::Permissions::from_mode(0o600)))
}

/// Ignores a lack of permission: the file may be another user's, or the file system knows no modes.
#[cfg(unix)]
fn set(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        done => done,
    }
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "on Unix it can fail")]
fn restrict(_file: &File) -> io::Result<()> {
    Ok(())
}

/// Returns a warning for a folder in which other users may make and remove files.
#[cfg(unix)]
pub(super) fn warning(folder: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(folder).ok()?.permissions().mode() & 0o7777;
    (mode & 0o022 != 0).then(|| {
        format!(
            "other users may write to the folder {} (mode {mode:o}) and replace the files of the store: make \
             it its owner's only (chmod 700)",
            folder.display()
        )
    })
}

#[cfg(not(unix))]
pub(super) fn warning(_folder: &Path) -> Option<String> {
    None
}
