/// The name of a group of users: what a ``Username`` may be, without a comma, so that lists of them are unambiguous.
public struct GroupName: Sendable, Hashable, Comparable, CustomStringConvertible {
    public let bytes: [UInt8]

    /// - Throws: ``NameError``.
    public init(_ bytes: some Sequence<UInt8>) throws(NameError) {
        guard let name = try? Username(bytes), !name.bytes.contains(UInt8(ascii: ",")) else { throw .group }
        self.bytes = name.bytes
    }

    public var description: String { String(decoding: bytes, as: UTF8.self) }

    public static func < (left: Self, right: Self) -> Bool { left.bytes.lexicographicallyPrecedes(right.bytes) }
}

/// The name of a permission as Django's `has_perm` takes it: an application's label, a full stop, a codename.
public struct PermissionName: Sendable, Hashable, Comparable, CustomStringConvertible {
    public let bytes: [UInt8]

    /// - Parameter bytes: At most 255 visible characters of ASCII, none of them a comma or a quote.
    /// - Throws: ``NameError``.
    public init(_ bytes: some Sequence<UInt8>) throws(NameError) {
        let bytes = Array(bytes)
        guard bytes.count <= 255, bytes.allSatisfy(Self.isAllowed), let stop = bytes.firstIndex(of: UInt8(ascii: ".")),
            stop > 0, stop < bytes.count - 1
        else { throw .permission }
        self.bytes = bytes
    }

    public var description: String { String(decoding: bytes, as: UTF8.self) }

    public static func < (left: Self, right: Self) -> Bool { left.bytes.lexicographicallyPrecedes(right.bytes) }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        (0x21..<0x7F).contains(byte) && !"\"',\\".utf8.contains(byte)
    }
}

/// What a text should have been the name of.
public enum NameError: Error, Equatable, CustomStringConvertible {
    case group, permission
    /// A group's that cannot stand in a path.
    case groupInPath

    public var description: String {
        switch self {
        case .group:
            "A group's name has 1 to 150 characters, no comma, no colon, no control character, and no white space at its ends."
        case .groupInPath: "A group whose name holds a slash is made by the command line alone."
        case .permission: "A permission is an application's label, a full stop and a codename, as shop.change_thing."
        }
    }
}
