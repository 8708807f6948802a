internal import Glibc
internal import Journal

/// An address of IPv6, or of IPv4 as the IPv6 address that stands for it (RFC 4291, section 2.5.5.2), so that one
/// client has one address.
struct IPAddress: Sendable, Hashable {
    /// The first and the last eight bytes, in network order read as numbers.
    let high, low: UInt64

    private static let mappedPrefix: UInt64 = 0xFFFF << 32

    /// Reads what `REMOTE_ADDR` holds; nil for anything else.
    init?(_ text: some Collection<UInt8>) {
        if let v4 = Self.ipv4(text) {
            (high, low) = (0, Self.mappedPrefix | v4)
            return
        }
        guard (2...45).contains(text.count), !text.contains(0) else { return nil }
        var v6: (UInt64, UInt64) = (0, 0)
        guard inet_pton(AF_INET6, text.map { CChar(bitPattern: $0) } + [0], &v6) == 1 else { return nil }
        (high, low) = (UInt64(bigEndian: v6.0), UInt64(bigEndian: v6.1))
    }

    /// Four numbers up to 255 without a zero before them. Every request has an address: this takes no memory.
    private static func ipv4(_ text: some Collection<UInt8>) -> UInt64? {
        var (address, number, digits, stops): (UInt64, UInt64, Int, Int) = (0, 0, 0, 0)
        for byte in text {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                guard digits == 0 || number > 0 else { return nil }
                number = number * 10 + UInt64(byte - UInt8(ascii: "0"))
                digits += 1
                guard number <= 255 else { return nil }
            case UInt8(ascii: "."):
                guard digits > 0, stops < 3 else { return nil }
                (address, number, digits, stops) = (address << 8 | number, 0, 0, stops + 1)
            default: return nil
            }
        }
        return digits > 0 && stops == 3 ? address << 8 | number : nil
    }

    private init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    var isIPv4: Bool { high == 0 && low >> 32 == 0xFFFF }

    /// The address with all bits after the first `length` at zero.
    func prefix(_ length: Int) -> IPAddress {
        length >= 64
            ? IPAddress(high: high, low: low & Self.mask(length - 64))
            : IPAddress(high: high & Self.mask(length), low: 0)
    }

    private static func mask(_ length: Int) -> UInt64 { length <= 0 ? 0 : ~0 << UInt64(64 - min(length, 64)) }
}

/// A range of addresses as `10.0.0.0/8`, `2001:db8::/32`, or one address (RFC 4632, section 3.1).
public struct Network: Sendable, Hashable, CustomStringConvertible {
    private let address: IPAddress
    private let length: Int
    public let description: String

    /// - Returns: nil for anything else, also where bits are set after the prefix.
    public init?(_ text: String) {
        let parts = text.utf8.split(separator: UInt8(ascii: "/"), maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = IPAddress(parts[0]) else { return nil }
        let width = address.isIPv4 && !parts[0].contains(UInt8(ascii: ":")) ? 32 : 128
        var length = width
        if parts.count == 2 {
            guard let number = Decimal.parse(Array(parts[1])[...]), number <= width else { return nil }
            length = Int(number)
        }
        self.address = address
        self.length = 128 - width + length
        guard address.prefix(self.length) == address else { return nil }
        description = text
    }

    func contains(_ other: IPAddress) -> Bool { other.prefix(length) == address }
}
