internal import CLinux
internal import Glibc

/// Where to listen.
public enum ListenAddress: Sendable, Equatable {
    /// A Unix socket.
    case unix(path: String)
    /// A numeric IPv4 or IPv6 address.
    case tcp(host: String, port: UInt16)

    /// Reads `/path.sock`, `127.0.0.1:9000` or `[::1]:9000`; nil for anything else.
    public init?(_ text: String) {
        if text.hasPrefix("/") || text.hasPrefix("./") {
            self = .unix(path: text)
            return
        }
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port > 0 else {
            return nil
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        guard !host.isEmpty else { return nil }
        self = .tcp(host: String(host), port: port)
    }
}

/// A listening socket.
public final class Listener: Sendable {
    let descriptor: Int32
    /// Of a Unix socket that we made.
    private let path: String?
    private let inode: UInt

    init(_ descriptor: Int32, path: String? = nil, inode: UInt = 0) {
        self.descriptor = descriptor
        self.path = path
        self.inode = inode
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    }

    deinit { close(descriptor) }

    /// Removes the socket file of ``bind(to:allowsRemote:)``, if it is still ours.
    func removeFile() {
        guard let path else { return }
        var status = stat()
        if lstat(path, &status) == 0, status.st_ino == inode { unlink(path) }
    }

    /// The socket that spawn-fcgi, lighttpd or mod_fcgid leaves as file descriptor 0 (FastCGI 1.0, section
    /// 2.2); nil when descriptor 0 is no listening socket.
    public static func standardInput() -> Listener? {
        isListening(STDIN_FILENO) ? Listener(STDIN_FILENO) : nil
    }

    /// Makes a socket of our own.
    ///
    /// A Unix socket has mode 0660, whatever the umask, and at no moment more. Where a socket file is there already, it is
    /// replaced if nobody listens any more.
    /// - Parameter allowsRemote: Whether a TCP address may be other than loopback: whoever can connect can
    ///   claim to be anybody.
    /// - Throws: ``ListenerError``.
    public static func bind(to address: ListenAddress, allowsRemote: Bool = false) throws(ListenerError) -> Listener {
        switch address {
        case .unix(let path): try bind(path)
        case .tcp(let host, let port): try bind(host, port, allowsRemote: allowsRemote)
        }
    }

    static let backlog: Int32 = 4096
    /// Of the file of a Unix socket.
    private static let mode: mode_t = 0o660

    static func isListening(_ descriptor: Int32) -> Bool {
        var isListening: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &isListening, &length) == 0 && isListening == 1
    }

    private static func bind(_ path: String) throws(ListenerError) -> Listener {
        guard let address = UnixAddress(path) else { throw .pathTooLong(path) }
        try removeStale(path, address)
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw .system(call: "socket", address: path, errno: errno) }
        // The mode that a socket has when it is bound, less the umask, is its file's: never more than this. The umask itself is
        // all threads'.
        var status = stat()
        guard fchmod(descriptor, mode) == 0, address.withSocketAddress({ Glibc.bind(descriptor, $0, $1) }) == 0,
            fchmodat(AT_FDCWD, path, mode, AT_SYMLINK_NOFOLLOW) == 0, lstat(path, &status) == 0,
            listen(descriptor, backlog) == 0
        else {
            let number = errno
            close(descriptor)
            throw number == EADDRINUSE ? .inUse(path) : .system(call: "bind", address: path, errno: number)
        }
        return Listener(descriptor, path: path, inode: status.st_ino)
    }

    /// - Throws: When somebody listens there, or what is there is no socket.
    private static func removeStale(_ path: String, _ address: UnixAddress) throws(ListenerError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else { throw .notASocket(path) }
        let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard probe >= 0 else { throw .system(call: "socket", address: path, errno: errno) }
        defer { close(probe) }
        let result = address.withSocketAddress { connect(probe, $0, $1) }
        guard result != 0, errno == ECONNREFUSED else { throw .inUse(path) }
        guard unlink(path) == 0 else { throw .system(call: "unlink", address: path, errno: errno) }
    }

    private static func bind(_ host: String, _ port: UInt16, allowsRemote: Bool) throws(ListenerError) -> Listener {
        let text = "\(host):\(port)"
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &found) == 0, let found else { throw .notAnAddress(text) }
        defer { freeaddrinfo(found) }
        guard allowsRemote || PeerAddress.isLoopback(found.pointee.ai_addr) else { throw .remote(text) }
        let descriptor = socket(found.pointee.ai_family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw .system(call: "socket", address: text, errno: errno) }
        var one: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        guard Glibc.bind(descriptor, found.pointee.ai_addr, found.pointee.ai_addrlen) == 0,
            listen(descriptor, backlog) == 0
        else {
            let number = errno
            close(descriptor)
            throw number == EADDRINUSE ? .inUse(text) : .system(call: "bind", address: text, errno: number)
        }
        return Listener(descriptor)
    }
}

/// Why a socket cannot be had.
public enum ListenerError: Error, Equatable, CustomStringConvertible {
    case inUse(String)
    case notASocket(String)
    case pathTooLong(String)
    case notAnAddress(String)
    case remote(String)
    case system(call: String, address: String, errno: Int32)

    public var description: String {
        switch self {
        case .inUse(let address): "\(address) is in use: another server listens there."
        case .notASocket(let path): "\(path) exists and is not a socket: name another path, or remove it."
        case .pathTooLong(let path): "\(path) is too long for a Unix socket: at most 107 bytes."
        case .notAnAddress(let text): "\(text) is not a numeric address: write 127.0.0.1:9000 or [::1]:9000."
        case .remote(let text):
            "\(text) is not a loopback address, and whoever can connect can claim to be anybody: use a Unix socket, or --allow-remote."
        case .system(let call, let address, let number):
            "\(address): \(call) failed: \(String(cString: strerror(number)))."
        }
    }
}

/// Who is at the other end of a connection.
enum PeerAddress {
    static func isLoopback(_ address: UnsafePointer<sockaddr>) -> Bool {
        switch Int32(address.pointee.sa_family) {
        case AF_INET:
            address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                UInt32(bigEndian: $0.pointee.sin_addr.s_addr) >> 24 == 127
            }
        case AF_INET6:
            address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { address in
                withUnsafeBytes(of: address.pointee.sin6_addr) { bytes in
                    bytes.dropLast().allSatisfy { $0 == 0 } && bytes.last == 1
                        || bytes.prefix(13).elementsEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 127])
                }
            }
        default: false
        }
    }
}
