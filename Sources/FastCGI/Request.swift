/// What the web server wants to know (FastCGI 1.0, section 6).
public enum Role: Sendable {
    /// The answer goes to the client.
    case responder
    /// Status 200 lets the request go on; anything else goes to the client.
    case authorizer
}

/// One request in flight. A handler must not keep it after it has answered.
public final class Request {
    // A worker and its handler have it, one after the other.
    @exclusivity(unchecked) public private(set) var role: Role
    @exclusivity(unchecked) public private(set) var parameters: Parameters
    private let source: any BodySource
    @exclusivity(unchecked) private var knownBody: [UInt8]?

    init(role: Role, parameters: Parameters, source: any BodySource) {
        self.role = role
        self.parameters = parameters
        self.source = source
    }

    /// Becomes another request, and takes its parameters.
    func begin(_ role: Role, _ parameters: inout Parameters) {
        self.role = role
        knownBody = nil
        swap(&self.parameters, &parameters)
    }

    /// Gives the parameters back.
    func end(_ parameters: inout Parameters) {
        knownBody = nil
        swap(&self.parameters, &parameters)
    }

    /// For tests, and for answering without a web server.
    public convenience init(role: Role = .responder, parameters: Parameters, body: [UInt8] = []) {
        self.init(role: role, parameters: parameters, source: MemoryBody(body: body))
    }

    /// The whole body, read when it is first asked for.
    ///
    /// - Parameter limit: In bytes. `CONTENT_LENGTH` is judged before anything is read.
    /// - Throws: ``BodyError``. The connection ends with the answer then.
    public func body(limit: Int) throws(BodyError) -> [UInt8] {
        if let knownBody { return knownBody }
        let announced = try contentLength()
        if let announced, announced > limit { throw .tooLarge(limit: limit) }
        let body = try source.readBody(limit: limit, announced: announced)
        knownBody = body
        return body
    }

    /// Says that the handler is about to wait for something slow: until it has answered, another worker
    /// does what this one would have done. Costs nothing when said twice.
    public func willWait() { source.willWait() }

    /// nil where there is none or it is empty.
    private func contentLength() throws(BodyError) -> Int? {
        guard let digits = parameters.value(of: "CONTENT_LENGTH"), !digits.isEmpty else { return nil }
        guard digits.count < 16, digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            throw .interrupted
        }
        return digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }
}

/// Why a body cannot be had.
public enum BodyError: Error, Equatable, Sendable {
    case tooLarge(limit: Int)
    /// The peer went away, fell silent, or sent something else than it had announced.
    case interrupted
}

/// Where a request's body comes from.
protocol BodySource {
    /// - Parameter announced: `CONTENT_LENGTH`, which the body must have; nil where it is not given.
    func readBody(limit: Int, announced: Int?) throws(BodyError) -> [UInt8]
    func willWait()
}

private struct MemoryBody: BodySource {
    let body: [UInt8]

    func readBody(limit: Int, announced: Int?) throws(BodyError) -> [UInt8] {
        guard body.count <= limit else { throw .tooLarge(limit: limit) }
        guard announced == nil || announced == body.count else { throw .interrupted }
        return body
    }

    func willWait() {}
}

/// Answers a request.
public typealias Handler = @Sendable (Request) -> Response
