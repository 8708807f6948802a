import TestSupport
import Testing

@testable import Postern

@Suite("Targets that can be read in one way alone", .randomized)
struct PlainPathTests {
    private func isPlain(_ target: String) -> Bool { JudgedPath.isPlain(Array(target.utf8)[...]) }

    @Test(
        "Paths as clients write them",
        arguments: [
            "/", "/a", "/a/", "/a/b.c", "/.well-known/x", "/...", "/a/..b/c..", "/a/.b/", "/a%20b/", "/%C3%A9/\u{E9}",
            "/a+b,c:d@e=f&g",
            "/a?x=/../b;c%2f", "/100%25", "/100%25.pdf", "/%25zz", "/what%3F", "/a%23b", "/~ann/",
            "/a//".replacing("//", with: "/"),
            "/%41%42", "/%25a", "/%E4%B8%AD", "/%F0%9F%98%80", "/a%7Cb", "/\"a\"",
        ]
    )
    func plain(target: String) { #expect(isPlain(target)) }

    @Test(
        "Paths that two may read in two ways, and what is no path",
        arguments: [
            "", "a", "*", "http://h/a", "//", "//a", "/a//b", "/a//", "/.", "/..", "/./a", "/a/.", "/a/..", "/a/../b",
            "/%2e", "/a/%2e%2e/b",
            "/a/.%2E/b", "/a%2fb", "/a%2Fb", #"/a\b"#, "/a%5cb", "/a;b", "/a/..;/b", "/;/a", "/a%3bb", "/%00", "/a%0Ab",
            "/a%7f",
            "/%252e%252e/", "/a%252fb", "/%25%32%65", "/%2%35", "/a%", "/a%2", "/a%zz", "/a%u002e", "/a#b", "/%c0%ae",
            "/%c0%af", "/%c1%9c",
            "/%e0%80%af", "/%f0%80%80%af", "/a/%2e?x", "/" + String(repeating: "a", count: 16 * 1024),
        ]
    )
    func ambiguous(target: String) { #expect(!isPlain(target)) }

    /// What applications make of a path: its segments.
    private static func readings(of path: String) -> [[String]] {
        func decoded(_ text: String) -> String {
            var bytes: [UInt8] = []
            var rest = Array(text.utf8)[...]
            while let byte = rest.popFirst() {
                if byte == UInt8(ascii: "%"), rest.count >= 2,
                    let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
                {
                    bytes.append(value)
                    rest = rest.dropFirst(2)
                } else {
                    bytes.append(byte)
                }
            }
            return String(decoding: bytes, as: UTF8.self)
        }
        func simplified(_ segments: [String]) -> [String] {
            segments.enumerated().reduce(into: []) { path, segment in
                let isLast = segment.offset == segments.count - 1
                switch segment.element {
                case "..":
                    _ = path.popLast()
                    if isLast { path.append("") }
                case ".", "": if isLast { path.append("") }
                default: path.append(segment.element)
                }
            }
        }
        func segments(_ text: String) -> [String] {
            text.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        }
        return [
            // nginx, lighttpd: decodes, then simplifies.
            simplified(segments(decoded(path))),
            // Decodes each segment.
            segments(path).map(decoded),
            // Simplifies as typed, then decodes.
            simplified(segments(path)).map(decoded),
            // Decodes twice.
            simplified(segments(decoded(decoded(path)))),
            // Takes a backslash for a slash.
            simplified(segments(decoded(path).replacing("\\", with: "/"))),
            // Servlets: cuts parameters off before and after it decodes.
            simplified(segments(path).map { decoded(String($0.prefix { $0 != ";" })) }),
            simplified(segments(decoded(path)).map { String($0.prefix { $0 != ";" }) }),
            // C: a text ends with its first zero.
            simplified(segments(String(decoded(path).prefix { $0 != "\0" }))),
        ]
    }

    @Test("Whatever is plain, all kinds of applications read as the same path")
    func readers() {
        let seed = Randomized.seed
        var random = Seeded(seed: seed)
        let parts = [
            "a", "b", "ann", ".", "..", "/", "/", "/", "%2f", "%2F", "%2e", "%2E", "\\", "%5c", ";", ";x=y", "%3b",
            "%25", "%252e", "%25%32e",
            "%00", "%20", "%41", "é", "%C3%A9", "?", "//", "/./", "/../", "-",
        ]
        var plain = 0
        for _ in 0..<20_000 {
            let target =
                "/"
                + (0..<Int.random(in: 0...6, using: &random)).map { _ in parts.randomElement(using: &random) ?? "" }
                .joined()
            guard isPlain(target) else { continue }
            plain += 1
            let path = String(target.prefix { $0 != "?" })
            let readings = Self.readings(of: path)
            #expect(readings.allSatisfy { $0 == readings[0] }, "\(target) is read as \(readings); seed \(seed)")
            #expect(
                JudgedPath.canonical(Array(target.utf8)[...]).map { String(decoding: $0, as: UTF8.self) } == "/"
                    + readings[0].joined(separator: "/")
            )
        }
        #expect(plain > 1000, "seed \(seed)")
    }
}
