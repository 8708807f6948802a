import Foundation

/// A client with a good token that asks one thing after the other, over a connection that stays open.
final class PoliteClient {
    private let port: UInt16
    private let request: [UInt8]

    init(_ site: Site, path: String, token: String) {
        port = site.nginxPort
        request = Array("GET \(path) HTTP/1.1\r\nHost: localhost\r\nAuthorization: Token \(token)\r\n\r\n".utf8)
    }

    /// Milliseconds that each of `count` requests took, sorted.
    /// - Throws: When one of them is not answered 200.
    func times(_ count: Int) throws -> [Double] {
        let connection = try HTTP.Connection(port: port, fromHost: 77)
        return try (0..<count).map { _ in
            let start = ContinuousClock().now
            try connection.send(request)
            let answer = try connection.receiveAnswer()
            guard answer.status == 200 else { throw HarnessError("a polite client got \(answer.status)") }
            return start.duration(to: ContinuousClock().now) / .milliseconds(1)
        }.sorted()
    }
}

extension [Double] {
    /// Of sorted values.
    func quantile(_ share: Double) -> Double { isEmpty ? 0 : self[Swift.min(count - 1, Int(Double(count) * share))] }
}
