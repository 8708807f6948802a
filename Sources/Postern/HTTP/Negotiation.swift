/// Content negotiation for answers that are always JSON: DRF's `DefaultContentNegotiation`, with
/// `JSONRenderer` as the only renderer.
enum Negotiation {
    /// Ranges of the longest `Accept` that is read, of at most ``MediaType/maximumLength`` bytes and
    /// ``MediaType/maximumParameters`` in all. Nothing is acceptable to a longer one.
    static let maximumRanges = 100

    /// The media ranges one after the other, until `visit` says that there are enough.
    private static func visitRanges(_ accept: ArraySlice<UInt8>, _ visit: (MediaType) -> Bool) {
        let comma = UInt8(ascii: ",")
        guard accept.count <= MediaType.maximumLength,
            !ByteSearch.isMore(than: maximumRanges - 1, of: comma, in: accept),
            !ByteSearch.isMore(than: MediaType.maximumParameters, of: UInt8(ascii: ";"), in: accept)
        else { return }
        var rest = accept
        while true {
            let end = ByteSearch.place(of: comma, in: rest) ?? rest.endIndex
            if end > rest.startIndex, !visit(MediaType(rest[..<end])) { return }
            guard end < rest.endIndex else { return }
            rest = rest[(end + 1)...]
        }
    }

    /// Whether whoever asks is a browser that shows a page, at a view that has both pages and JSON.
    static func prefersHTML(_ request: APIRequest) -> Bool {
        if request.isJSON { return false }
        var (namesHTML, namesJSON) = (false, false)
        visitRanges(request.accept ?? []) { range in
            namesHTML = namesHTML || range.names("text", "html")
            namesJSON = namesJSON || range.names("application", "json")
            return !namesHTML
        }
        return namesHTML || !namesJSON
    }

    /// - Parameters:
    ///   - accept: The field `Accept`; nil when there is none.
    ///   - query: Where `format` may ask for another form than JSON.
    /// - Returns: The spaces of one level of indentation that the client asked for, 1 to 8, or nil.
    /// - Throws: 400 for a query of too many parameters, 404 for another `format`, 406 when JSON is not acceptable.
    static func indent(accept: ArraySlice<UInt8>?, query: ArraySlice<UInt8>) throws(APIError) -> Int? {
        if !query.isEmpty {
            guard Form.isShort(query) else { throw APIError(Form.tooManyFields) }
            if let format = Form.lastValue(of: "format", in: query), !format.isEmpty, format != "json" {
                throw .notFound
            }
        }
        guard let accept, !accept.elementsEqual("*/*".utf8) else { return nil }
        var best: (range: MediaType, precedence: Int)?
        visitRanges(accept) { range in
            guard range.matches("application", "json") else { return true }
            let precedence = range.precedence
            if precedence > best?.precedence ?? -1 { best = (range, precedence) }
            // None goes before one with parameters.
            return precedence < 3
        }
        guard let best else { throw .notAcceptable }
        guard let text = best.range.parameter("indent"), text.count <= 20,
            let indent = Int(String(decoding: text, as: UTF8.self)), indent > 0
        else { return nil }
        return min(indent, 8)
    }
}
