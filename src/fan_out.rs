//! The system calls of the fan-out: sends one frame to many sockets. Which sockets get it, and how the rest of a partly
//! sent frame follows, is decided in `lib/fanOut/`. Not available on Windows, whose sockets are not file descriptors.

use std::os::fd::{BorrowedFd, RawFd};

use rustix::{
    io::Errno,
    net::{SendFlags, send},
};

/// Sending does not block, and to a closed peer it returns an error instead of raising a signal.
#[cfg(not(target_vendor = "apple"))]
const FLAGS: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);
/// macOS has no NOSIGNAL; Node ignores SIGPIPE in the whole process.
#[cfg(target_vendor = "apple")]
const FLAGS: SendFlags = SendFlags::DONTWAIT;

/// Sends `frame` to the socket of each descriptor in `slots`, as many bytes as it takes without blocking. Each slot is
/// overwritten with the number of bytes taken, or with a negative errno if none was. Returns how many sockets did not
/// take the whole frame.
///
/// A descriptor may occur several times. Once its socket has not taken a whole frame it is not written to again,
/// because later bytes would end up in the middle of that frame.
pub fn send_to_all(frame: &[u8], slots: &mut [i32]) -> usize {
    let mut incomplete: Vec<RawFd> = Vec::new();
    let mut count = 0;
    for slot in slots {
        let fd = *slot;
        *slot = if incomplete.contains(&fd) {
            0
        } else {
            send_to(frame, fd)
        };
        if !usize::try_from(*slot).is_ok_and(|taken| taken == frame.len()) {
            incomplete.push(fd);
            count += 1;
        }
    }
    count
}

fn send_to(frame: &[u8], fd: RawFd) -> i32 {
    if fd < 0 {
        return -Errno::BADF.raw_os_error();
    }
    // SAFETY: not -1. The caller keeps it open during this call; if it did not, the system would report EBADF, and no
    // memory is accessed through a descriptor.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    loop {
        match send(fd, frame, FLAGS) {
            // A frame of more than 2 GiB would be sent in parts.
            Ok(taken) => return i32::try_from(taken).unwrap_or(i32::MAX),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return 0,
            Err(error) => return -error.raw_os_error(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        io::{ErrorKind, Read},
        net::{TcpListener, TcpStream},
        os::{fd::AsRawFd, unix::net::UnixStream},
    };

    use super::*;

    fn connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("listening");
        let (server, _) = listener.accept().expect("a connection");
        (server, client)
    }

    /// All that comes until the other side is closed.
    fn rest(mut client: TcpStream) -> Vec<u8> {
        let mut bytes = Vec::new();
        client.read_to_end(&mut bytes).expect("an end");
        bytes
    }

    #[test]
    fn every_socket_gets_the_whole_frame() {
        let pairs: Vec<_> = (0..20).map(|_| connection()).collect();
        let mut slots: Vec<_> = pairs.iter().map(|(server, _)| server.as_raw_fd()).collect();
        assert_eq!(send_to_all(b"frame", &mut slots), 0);
        assert_eq!(slots, vec![5; 20]);
        for (server, client) in pairs {
            drop(server);
            assert_eq!(rest(client), b"frame");
        }
    }

    #[test]
    fn what_is_no_open_socket_fails_and_the_others_get_the_frame() {
        let (server, client) = UnixStream::pair().expect("two sockets");
        let file = File::open("/dev/null").expect("it is there");
        let (gone, _) = UnixStream::pair().expect("two sockets");
        let mut slots = [
            -1,
            i32::MAX,
            file.as_raw_fd(),
            gone.as_raw_fd(),
            server.as_raw_fd(),
            i32::MIN,
        ];
        assert_eq!(send_to_all(b"frame", &mut slots), 5);
        assert_eq!(
            slots,
            [
                -Errno::BADF.raw_os_error(),
                -Errno::BADF.raw_os_error(),
                -Errno::NOTSOCK.raw_os_error(),
                -Errno::PIPE.raw_os_error(),
                5,
                -Errno::BADF.raw_os_error(),
            ]
        );
        drop(server);
        let mut bytes = Vec::new();
        (&client).read_to_end(&mut bytes).expect("an end");
        assert_eq!(bytes, b"frame");
    }

    /// With a socket that is in blocking mode, too.
    #[test]
    fn a_reader_that_stops_takes_a_part_and_then_nothing_and_nobody_waits() {
        let (server, client) = connection();
        let fd = server.as_raw_fd();
        let frame = vec![7; 1 << 24];
        let mut slots = [fd];
        assert_eq!(send_to_all(&frame, &mut slots), 1);
        let taken = slots[0];
        assert!(taken > 0 && slots[0] < 1 << 24, "{taken}");
        // The system may have moved on meanwhile, so that there is some room again.
        loop {
            slots = [fd];
            send_to_all(&frame, &mut slots);
            if slots[0] == 0 {
                break;
            }
        }
        client.set_nonblocking(true).expect("a socket");
        let first = (&client).read(&mut [0; 1]).map_err(|err| err.kind());
        assert_ne!(first, Err(ErrorKind::WouldBlock));
    }

    /// Though the other side reads all the time, so that there is room again.
    #[test]
    fn after_a_part_the_same_socket_is_not_asked_again() {
        let (server, client) = connection();
        let reader = std::thread::spawn(move || rest(client).len());
        let frame = vec![0; 1 << 26];
        let mut slots = vec![server.as_raw_fd(); 5000];
        let incomplete = send_to_all(&frame, &mut slots);
        drop(server);
        // Those before it were taken whole.
        let part = slots.len() - incomplete;
        assert!(slots[part + 1..].iter().all(|&taken| taken == 0));
        let taken = part * frame.len() + usize::try_from(slots[part]).expect("a part");
        assert_eq!(reader.join().expect("no panic"), taken);
    }

    #[test]
    fn an_empty_list_is_nothing_to_do() {
        assert_eq!(send_to_all(b"frame", &mut []), 0);
    }
}
