import FastCGI
import Foundation
import Logging
import Synchronization
import Testing

@testable import Journal
@testable import Postern

/// Another issuer, whose JWK Set is in a file, and a location that takes its tokens.
final class KeySetPublisher: Sendable {
    let path: String
    private let copies = Atomic(0)

    init(of site: InProcessSite) { path = site.temporary.path + "-issuer.json" }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    var location: [String: String] { ["JWT_JWKS": "https://idp.example \(path)", "JWT_AUDIENCE": "api"] }

    func publish(_ text: String) throws { try publish(Array(text.utf8)) }

    /// Another file takes the place of the one before, whose name no later one has.
    func publish(_ bytes: [UInt8]) throws {
        let copy = path + ".\(copies.wrappingAdd(1, ordering: .relaxed).newValue)"
        try makePrivateFile(copy, bytes)
        // A file system may give the next file the same number and the same time.
        try? FileManager.default.removeItem(atPath: path + ".old")
        if FileManager.default.fileExists(atPath: path) { try #require(rename(path, path + ".old") == 0) }
        try #require(rename(copy, path) == 0)
    }

    static func set(_ keys: [String]) -> String { "{\"keys\":[\(keys.joined(separator: ","))]}" }

    static func text(_ members: [(name: String, value: JSONValue)]?) -> String {
        String(decoding: JSONWriter.bytes(of: .object(members ?? [])), as: UTF8.self)
    }

    static func encoded(_ bytes: some Sequence<UInt8>) -> String {
        String(decoding: Base64URL.encode(bytes), as: UTF8.self)
    }

    /// - Parameters:
    ///   - header: Members, in their order.
    ///   - changes: Claims; nil: without it.
    func token(
        _ key: JSONWebKey,
        header: String? = nil,
        _ changes: [String: JSONValue?] = [:]
    ) throws -> String {
        let now = Timestamp.now().seconds
        var claims: [String: JSONValue] = [
            "iss": .string("https://idp.example"), "aud": .string("api"), "sub": .string("ann"),
            "exp": .integer(now + 600), "iat": .integer(now), "jti": .string("\(UInt64.random(in: .min ... .max))"),
        ]
        for (name, value) in changes { claims[name] = value }
        let header = header ?? #"{"alg":"\#(key.algorithm.rawValue)","kid":"\#(key.id ?? "")"}"#
        let payload = JSONWriter.bytes(of: .object(claims.map { ($0.key, $0.value) }))
        let text = Self.encoded(header.utf8) + "." + Self.encoded(payload)
        return text + "." + Self.encoded(try #require(key.sign(Array(text.utf8))))
    }
}

/// A log whose lines are kept.
final class KeptLog: Sendable {
    let lines = Mutex<[String]>([])

    var logger: Logger { Logger(label: "test") { _ in Handler(log: self) } }

    var all: [String] { lines.withLock { $0 } }

    /// What was said at level warning and above, each line after its level.
    var warnings: [String] { all.filter { !$0.hasPrefix("notice") } }

    private struct Handler: LogHandler {
        let log: KeptLog
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.notice

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) { log.lines.withLock { $0.append("\(event.level) \(event.message)") } }
    }
}
