internal import Glibc

/// The sockets that systemd hands over to a process: `LISTEN_FDS` of them from descriptor 3 on, meant for it when
/// `LISTEN_PID` says so (sd_listen_fds(3)).
public struct InheritedSockets: Sendable {
    public let listeners: [Listener]
    /// Connections that a former process has given to systemd's file descriptor store, for ``Server/adopt(_:)``. Their
    /// descriptors are the caller's to close.
    public let connections: [Int32]

    public init() {
        guard let pid = getenv("LISTEN_PID").map({ String(cString: $0) }), Int32(pid) == getpid(),
            let count = getenv("LISTEN_FDS").flatMap({ Int32(String(cString: $0)) }), (1...65536).contains(count)
        else {
            (listeners, connections) = ([], [])
            return
        }
        let descriptors = 3..<3 + count
        listeners = descriptors.filter(Listener.isListening).map { Listener($0) }
        connections = descriptors.filter(Self.isConnected)
        for connection in connections { _ = fcntl(connection, F_SETFD, FD_CLOEXEC) }
    }

    private static func isConnected(_ descriptor: Int32) -> Bool {
        var address = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &address) { storage in
            storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(descriptor, $0, &length) == 0 }
        }
    }
}
