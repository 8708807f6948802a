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

    /// Requests are answered from now on, those on the connections that it has kept as well: it may forget them.
    func ready() { say("READY=1\nFDSTOREREMOVE=1\nFDNAME=\(Self.connectionName)") }

    func stopping() { say("STOPPING=1") }

    /// Puts a connection into its file descriptor store, while there is room. The next process inherits it.
    func keep(_ connection: Int32) {
        guard room.subtract(1, ordering: .relaxed).newValue >= 0 else { return }
        let text = Array("FDSTORE=1\nFDNAME=\(Self.connectionName)".utf8)
        _ = address.withSocketAddress { linux_send_descriptor(descriptor, $0, $1, text, text.count, connection) }
    }

    private static let connectionName = "connection"

    private func say(_ text: String) {
        let text = Array(text.utf8)
        _ = address.withSocketAddress { sendto(descriptor, text, text.count, Int32(MSG_NOSIGNAL), $0, $1) }
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
