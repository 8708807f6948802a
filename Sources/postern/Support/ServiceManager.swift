import Glibc

/// Tells systemd what becomes of the service, where it wants to know (sd_notify(3)).
enum ServiceManager {
    enum State: String {
        /// Requests are answered from now on.
        case ready = "READY=1"
        case stopping = "STOPPING=1"
    }

    /// Does nothing without `NOTIFY_SOCKET`, and when nobody listens there.
    static func notify(_ state: State) {
        guard let name = getenv("NOTIFY_SOCKET").map({ Array(String(cString: $0).utf8) }),
            name.first == 0x2F || name.first == 0x40
        else { return }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let fits = withUnsafeMutableBytes(of: &address.sun_path) { field in
            guard name.count < field.count else { return false }
            field.copyBytes(from: name)
            // An abstract name, which systemd writes with an @ (unix(7)).
            if name.first == 0x40 { field[0] = 0 }
            return true
        }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard fits, descriptor >= 0 else { return }
        defer { close(descriptor) }
        // An abstract name ends where the address does, with no null byte.
        let offset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2
        let length = socklen_t(offset + name.count + (name.first == 0x2F ? 1 : 0))
        let text = Array(state.rawValue.utf8)
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                _ = sendto(descriptor, text, text.count, Int32(MSG_NOSIGNAL), address, length)
            }
        }
    }
}
