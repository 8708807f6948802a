package import Glibc

/// The address of a Unix socket (unix(7)).
package struct UnixAddress: Sendable {
    private var address = sockaddr_un()
    private let length: socklen_t

    /// nil when the path is too long: at most 107 bytes.
    package init?(_ path: String) {
        length = socklen_t(MemoryLayout<sockaddr_un>.size)
        guard put(Array(path.utf8), at: 0) else { return nil }
    }

    /// An address that is no file; nil likewise. It ends where its name does.
    package init?(abstract name: some Collection<UInt8>) {
        length = socklen_t((MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2) + 1 + name.count)
        guard put(Array(name), at: 1) else { return nil }
    }

    private mutating func put(_ bytes: [UInt8], at place: Int) -> Bool {
        address.sun_family = sa_family_t(AF_UNIX)
        return withUnsafeMutableBytes(of: &address.sun_path) { field in
            guard place + bytes.count < field.count else { return false }
            UnsafeMutableRawBufferPointer(rebasing: field[place...]).copyBytes(from: bytes)
            return true
        }
    }

    /// Lends it as the calls of sockets take it.
    package func withSocketAddress<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }
}
