internal import Journal

/// A part of a long list: DRF's `PageNumberPagination`, which `?page=` and `?page_size=` choose from.
struct Pagination {
    static let defaultSize = 50
    static let maximumSize = 200

    /// From 1 on.
    let number: Int
    let size: Int
    /// Where the client does not say.
    private let usualSize: Int

    var offset: Int { (number - 1) * size }

    /// - Throws: 404 as DRF for a number that is none; 400 for a size that is none. One that is too large becomes
    ///   ``maximumSize``.
    init(_ query: ArraySlice<UInt8>, defaultSize: Int = Self.defaultSize) throws(APIError) {
        usualSize = defaultSize
        switch Self.number("page", in: query) {
        case nil: number = 1
        case let number? where Self.numbers.contains(number): self.number = Int(number)
        default: throw Self.invalidPage
        }
        switch Self.number("page_size", in: query) {
        case nil: size = defaultSize
        case let size? where Self.numbers.contains(size): self.size = min(Self.maximumSize, Int(size))
        default: throw .invalid("page_size", "A valid integer is required.")
        }
    }

    /// What may be asked for.
    static let numbers: ClosedRange<Int64> = 1...Int64(Int32.max)

    /// nil where it is not given; 0 for what is no number.
    private static func number(_ name: StaticString, in query: ArraySlice<UInt8>) -> Int64? {
        guard let text = Form.lastValue(of: name, in: query), !text.isEmpty else { return nil }
        return Decimal.parse(Array(text.utf8)[...]) ?? 0
    }

    /// - Parameters:
    ///   - count: Of all pages together.
    ///   - query: What else the links to other pages ask for.
    /// - Throws: 404 as DRF for a page that there is not; the first one there always is.
    func body(
        count: Int,
        _ results: [JSONValue],
        _ query: [(name: String, value: String)],
        for request: APIRequest
    ) throws(APIError) -> JSONValue {
        guard number == 1 || offset < count else { throw Self.invalidPage }
        let next = offset + size < count ? link(to: number + 1, query, for: request) : nil
        let previous = number > 1 ? link(to: number - 1, query, for: request) : nil
        return .object([
            ("count", .integer(Int64(count))), ("next", next.map { .string($0) } ?? .null),
            ("previous", previous.map { .string($0) } ?? .null), ("results", .array(results)),
        ])
    }

    /// Where the other pages of a list are whose answer is the bare array: `Link` of RFC 8288, with the relations `next` and `prev`.
    ///
    /// - Parameters:
    ///   - isEmpty: Whether nothing is on this page.
    ///   - query: As in ``body(count:_:_:for:)``.
    /// - Throws: Likewise.
    func links(
        hasNext: Bool,
        isEmpty: Bool,
        _ query: [(name: String, value: String)],
        for request: APIRequest
    ) throws(APIError) -> [(name: String, value: String)] {
        guard number == 1 || !isEmpty else { throw Self.invalidPage }
        var links: [String] = []
        if hasNext { links.append("<\(link(to: number + 1, query, for: request))>; rel=\"next\"") }
        if number > 1 { links.append("<\(link(to: number - 1, query, for: request))>; rel=\"prev\"") }
        return links.isEmpty ? [] : [("Link", links.joined(separator: ", "))]
    }

    private func link(
        to page: Int,
        _ query: [(name: String, value: String)],
        for request: APIRequest
    ) -> String {
        var query = query
        if page > 1 { query.append(("page", String(page))) }
        if size != usualSize { query.append(("page_size", String(size))) }
        return request.link(query)
    }

    private static var invalidPage: APIError { .notFoundBecause("Invalid page.") }
}

extension APIRequest {
    /// The address of what was asked for, with another query: absolute where the client said by which name it came, as
    /// DRF's `build_absolute_uri`. Only that client gets to see it.
    func link(_ query: [(name: String, value: String)]) -> String {
        let pairs = query.map { $0.name + "=" + Percent.encoded($0.value.utf8, keeping: Percent.unreserved) }
        let isHost = !host.isEmpty && host.allSatisfy { Base62.contains($0) || "-._:[]".utf8.contains($0) }
        let site = isHost ? (isSecure ? "https://" : "http://") + String(decoding: host, as: UTF8.self) : ""
        let path = Percent.encoded(path, keeping: Percent.unreserved.union("/"))
        return site + path + (pairs.isEmpty ? "" : "?" + pairs.joined(separator: "&"))
    }
}
