internal import CLinux
internal import Glibc
internal import Synchronization

/// How connections come to a server, and to one of its loops.
extension Server {
    /// What a loop's holder does when the server stops.
    func drain(_ loop: EventLoop) { loop.drain(stopEvent) }

    func watch(_ listener: Listener) -> Bool { loops.allSatisfy { $0.watch(listener) } }

    func ignore(_ listener: Listener) {
        for loop in loops { loop.ignore(listener.descriptor) }
    }

    /// What a loop's holder does when somebody wants to connect: nothing once the server stops.
    func acceptWaiting(_ listener: Int32) {
        // Whoever stops the server sees this, or is seen by it.
        accepting.add(1, ordering: .sequentiallyConsistent)
        defer { accepting.subtract(1, ordering: .sequentiallyConsistent) }
        guard !isStopping.load(ordering: .sequentiallyConsistent) else { return }
        for _ in 0..<8 {
            switch accept(listener) {
            case .somebody: continue
            case .nobody: return
            case .noRoom: return pauseAccepting()
            }
        }
    }

    private enum Accepted { case somebody, nobody, noRoom }

    private func accept(_ listener: Int32) -> Accepted {
        let descriptor = linux_accept(listener)
        if descriptor >= 0 {
            adopt(descriptor)
            return .somebody
        }
        if [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(errno) { return .noRoom }
        // Who has gone away before was somebody, too.
        return errno == ECONNABORTED || errno == EINTR ? .somebody : .nobody
    }

    /// Takes all who wait at a socket.
    /// - Returns: false where there was no room for all.
    func acceptAll(_ listener: Listener) -> Bool {
        for _ in 0..<Listener.backlog {
            switch accept(listener.descriptor) {
            case .somebody: continue
            case .nobody: return true
            case .noRoom: return false
            }
        }
        return true
    }

    /// Serves a connection that a former process has handed over (``ServerOptions/handOver``), whose descriptor is the
    /// server's from now on. Nobody else may have one of it any more: epoll would go on telling of what is closed.
    public func adopt(_ connection: Int32) {
        guard isAllowed(connection), add(connection) else {
            Glibc.close(connection)
            return
        }
    }

    /// Each loop gets as many as the others.
    private func add(_ descriptor: Int32) -> Bool {
        let loop = loops.min { $0.open.load(ordering: .relaxed) < $1.open.load(ordering: .relaxed) }
        return loop.map { connections.add(descriptor, to: $0) } ?? false
    }

    private func isAllowed(_ descriptor: Int32) -> Bool {
        var address = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &address) { storage in
            storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                guard getpeername(descriptor, address, &length) == 0 else { return false }
                guard Int32(address.pointee.sa_family) == AF_UNIX else {
                    return options.allowsRemote || PeerAddress.isLoopback(address)
                }
                guard let allowed = options.allowedUsers else { return true }
                var (process, user, group) = (pid_t(), uid_t(), gid_t())
                return linux_peer_credentials(descriptor, &process, &user, &group) == 0 && allowed.contains(user)
            }
        }
    }

    /// Without descriptors a listening socket would be ready for ever; it is looked at again a little later.
    private func pauseAccepting() {
        listeners.withLock { listeners in
            for listener in listeners { ignore(listener) }
            isAcceptingPaused.store(true, ordering: .relaxed)
        }
    }

    func resumeAccepting() {
        listeners.withLock { listeners in
            guard isAcceptingPaused.exchange(false, ordering: .relaxed), !isStopping.load(ordering: .relaxed) else {
                return
            }
            for listener in listeners { _ = watch(listener) }
        }
    }
}
