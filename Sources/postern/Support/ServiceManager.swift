import FastCGI
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
        guard let name = getenv("NOTIFY_SOCKET").map({ String(cString: $0) }), let address = address(name) else {
            return
        }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let text = Array(state.rawValue.utf8)
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
