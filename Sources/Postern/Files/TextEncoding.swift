/// How a file of text was saved, as far as its first bytes say.
package enum TextEncoding {
    /// As far as anybody can see, UTF-8.
    case plain
    /// With the mark that Windows puts before UTF-8; three bytes.
    case marked
    /// What PowerShell's `>` writes, and its kin of four bytes.
    case utf16

    package static let markLength = 3

    /// - Parameter beginning: At least three bytes of it, where there are so many.
    package init(of beginning: some Sequence<UInt8>) {
        let bytes = Array(beginning.prefix(3))
        switch (bytes.first, bytes.dropFirst().first) {
        case (0xFE, 0xFF), (0xFF, 0xFE), (0, _?), (_?, 0): self = .utf16
        default: self = bytes == [0xEF, 0xBB, 0xBF] ? .marked : .plain
        }
    }
}
