internal import FastCGI
internal import Logging

/// What became of a request.
struct Visit {
    /// What a client gets; at a gate not what its web server does.
    let status: Int
    /// nil where the view answered.
    let error: APIError?
    let nanoseconds: UInt64

    /// - Parameter began: By ``Metrics/monotonicTime()``.
    init(status: Int, error: APIError?, began: UInt64) {
        self.status = status
        self.error = error
        nanoseconds = Metrics.monotonicTime() &- began
    }

    var logLevel: Logger.Level { status >= 500 ? .error : .debug }
}

extension Application {
    /// One line a request: what became of it, and at level debug why. Of errors, which clients can cause, ten a minute of
    /// one kind; after the minute a line says how many were left out.
    ///
    /// - Parameters:
    ///   - request: nil where it makes no sense, or its location does not.
    ///   - policy: Likewise.
    func log(
        _ visit: Visit,
        _ source: FastCGI.Request,
        _ request: APIRequest? = nil,
        _ policy: Policy? = nil
    ) {
        let kind = ErrorKind(visit, policy)
        guard visit.logLevel < .error || errorLines.admits(kind) else { return }
        var text = (request.map { "\($0.method) " } ?? "") + "answered \(visit.status)"
        if let error = visit.error { text += ": " + error.reason + Self.explanation(of: error, source) }
        if logger.logLevel <= .debug, let request, let policy { text += "; " + decisionText(request, policy) }
        logger.log(
            level: visit.logLevel,
            "\(LogText(text))",
            metadata: [
                "path": "\(LogText(source.targetWithoutQuery))", "status": "\(visit.status)",
                "duration_us": "\(visit.nanoseconds / 1000)",
            ]
        )
    }

    /// Errors that are one to whoever reads the log: the same status for the same reason by the same view.
    struct ErrorKind: Hashable {
        let status: Int
        let reason: String
        let view: String

        init(_ visit: Visit, _ policy: Policy?) {
            status = visit.status
            reason = LogText(visit.error?.reason ?? "").description
            view = policy?.viewName ?? "-"
        }
    }

    /// - Parameter logger: Gets the lines that say how many were left out.
    static func errorLines(_ logger: Logger) -> LineLimit<ErrorKind> {
        LineLimit(limit: 10, capacity: 32) { kind, count in
            let what = kind.map { "answered \($0.status)" + ($0.reason.isEmpty ? "" : ": " + $0.reason) }
            logger.error(
                "left out \(count) more like: \(LogText(what ?? "errors of other kinds"))",
                metadata: kind.map { ["status": "\($0.status)", "view": "\($0.view)"] } ?? [:]
            )
        }
    }

    /// What an operator wants to know first of a client that is nobody: whether a credential got as far as here.
    static func explanation(of error: APIError, _ source: FastCGI.Request) -> String {
        guard case .notAuthenticated = error else { return "" }
        let arrived = [("HTTP_AUTHORIZATION", "Authorization"), ("HTTP_COOKIE", "Cookie")].filter { name, _ in
            source.parameters.value(of: name) != nil
        }
        guard !arrived.isEmpty else { return " Neither Authorization nor Cookie reached Postern." }
        return
            " What reached Postern, \(arrived.map(\.1).joined(separator: " and ")), is none of the location's schemes."
    }
}
