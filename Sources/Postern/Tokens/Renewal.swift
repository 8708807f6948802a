internal import Journal

extension Token {
    /// Each use of a token puts its end off: knox's `AUTO_REFRESH`.
    public struct Renewal: Sendable, Equatable, ExpressibleByIntegerLiteral {
        // A token is copied with each request: small numbers, of which 0 is none.
        private let afterUse: UInt32
        private let afterIssue: UInt32

        /// For so many seconds it is good after a use.
        public var seconds: Int64 { Int64(afterUse) }
        /// So many seconds after it was issued it ends all the same: knox's `AUTO_REFRESH_MAX_TTL`; nil: it need not.
        public var ceiling: Int64? { afterIssue == 0 ? nil : Int64(afterIssue) }

        /// - Parameters:
        ///   - seconds: After a use.
        ///   - ceiling: Seconds after the issue; nil: none.
        public init(seconds: Int64, ceiling: Int64? = nil) {
            afterUse = UInt32(clamping: seconds)
            afterIssue = UInt32(clamping: ceiling ?? 0)
        }

        public init(integerLiteral seconds: Int64) { self.init(seconds: seconds) }

        /// As the journal has it: `SECONDS`, or `SECONDS/CEILING`.
        init?(column: UnsafeRawBufferPointer) {
            let parts = column.split(separator: UInt8(ascii: "/"), maxSplits: 1, omittingEmptySubsequences: false).map {
                Decimal.parse(Array($0)[...])
            }
            guard let seconds = parts[0], parts.count == 1 || (parts[1] ?? 0) > 0 else { return nil }
            self.init(seconds: seconds, ceiling: parts.count > 1 ? parts[1] : nil)
        }

        var column: [UInt8] { Array((ceiling.map { "\(seconds)/\($0)" } ?? "\(seconds)").utf8) }

        /// When a token ends that is used now.
        func end(of token: Token, usedAt now: Timestamp) -> Timestamp {
            let end = now.adding(seconds: seconds)
            return ceiling.map { min(end, token.created.adding(seconds: $0)) } ?? end
        }
    }
}
