import CLinux
import FastCGI
import Glibc
import Synchronization

/// Tells systemd what becomes of the service, and gives it what the next process is to have (sd_notify(3)).
final class ServiceManager: Sendable {
    private let address: UnixAddress
    private let descriptor: Int32
    /// How many connections it still keeps for us.
    private let room: Atomic<Int>
    /// Whether it keeps any: the unit has `FileDescriptorStoreMax`.
    let keepsConnections: Bool

    /// nil without `NOTIFY_SOCKET`.
    init?() {
        guard let name = getenv("NOTIFY_SOCKET").map({ String(cString: $0) }), let address = Self.address(name) else {
            return nil
        }
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        // A systemd that hangs must not hold up our end.
        var timeout = timeval(tv_sec: 1, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        self.address = address
        let room = getenv("FDSTORE").flatMap { Int(String(cString: $0)) } ?? 0
        self.room = Atomic(room)
        keepsConnections = room > 0
    }

    deinit { close(descriptor) }

    /// Requests are answered from now on. As long as systemd has no room for the word it is said again, by a thread of its own:
    /// without it the service would be taken for one that does not start.
    func ready() {
        startThread(stackSize: 1 << 16) { [self] in
            while [EAGAIN, EINTR].contains(say("READY=1")) {}
        }
    }

    func stopping() { _ = say("STOPPING=1") }

    /// Has it forget the connections that it has kept for us, and waits until it has (sd_notify_barrier(3)). As long as it
    /// holds one as well, epoll tells of it after we have closed it, and the web server does not see that we have.
    /// - Returns: Whether they are ours alone now.
    func forgetConnections() -> Bool {
        var ends: [Int32] = [-1, -1]
        guard say("FDSTOREREMOVE=1\nFDNAME=\(Self.connectionName)") == 0, pipe(&ends) == 0 else { return false }
        defer { close(ends[0]) }
        let isSent = send("BARRIER=1", with: ends[1])
        close(ends[1])
        var end = pollfd(fd: ends[0], events: 0, revents: 0)
        return isSent && poll(&end, 1, 5000) == 1
    }

    /// Puts a connection into its file descriptor store, while there is room. The next process inherits it.
    /// - Returns: false the first time that it takes none: then it takes no other one either, and the end of all does not wait
    ///   for each.
    func keep(_ connection: Int32) -> Bool {
        guard room.subtract(1, ordering: .relaxed).newValue >= 0 else { return true }
        if send("FDSTORE=1\nFDNAME=\(Self.connectionName)", with: connection) { return true }
        return room.exchange(-1, ordering: .relaxed) < 0
    }

    private static let connectionName = "connection"

    /// - Returns: 0, or the number of the error.
    private func say(_ text: String) -> Int32 {
        let text = Array(text.utf8)
        return address.withSocketAddress {
            sendto(descriptor, text, text.count, Int32(MSG_NOSIGNAL), $0, $1) >= 0 ? 0 : errno
        }
    }

    private func send(_ text: String, with other: Int32) -> Bool {
        let text = Array(text.utf8)
        return address.withSocketAddress { linux_send_descriptor(descriptor, $0, $1, text, text.count, other) } == 0
    }

    /// systemd writes an abstract name with an @.
    private static func address(_ name: String) -> UnixAddress? {
        switch name.first {
        case "/": UnixAddress(name)
        case "@": UnixAddress(abstract: name.utf8.dropFirst())
        default: nil
        }
    }
}
