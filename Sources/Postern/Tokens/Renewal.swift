internal import Journal

extension Token {
    /// Each use of a token puts its end off: knox's `AUTO_REFRESH`.
    public struct Renewal: Sendable, Equatable, ExpressibleByIntegerLiteral {
        /// For so long it is good after a use.
        public let seconds: Int64
        /// So long after it was issued it ends all the same: knox's `AUTO_REFRESH_MAX_TTL`; nil: it need not.
        public let ceiling: Int64?

        public init(seconds: Int64, ceiling: Int64? = nil) {
            self.seconds = seconds
            self.ceiling = ceiling
        }

        public init(integerLiteral seconds: Int64) { self.init(seconds: seconds) }

        /// As the journal has it: `SECONDS`, or `SECONDS/CEILING`.
        init?(column: UnsafeRawBufferPointer) {
            let parts = column.split(separator: UInt8(ascii: "/"), maxSplits: 1, omittingEmptySubsequences: false).map {
                Decimal.parse(Array($0)[...])
            }
            guard let seconds = parts[0] else { return nil }
            self.seconds = seconds
            guard parts.count > 1 else {
                ceiling = nil
                return
            }
            guard let ceiling = parts[1] else { return nil }
            self.ceiling = ceiling
        }

        var column: [UInt8] { Array((ceiling.map { "\(seconds)/\($0)" } ?? "\(seconds)").utf8) }

        /// When a token ends that is used now.
        func end(of token: Token, usedAt now: Timestamp) -> Timestamp {
            let end = now.adding(seconds: seconds)
            return ceiling.map { min(end, token.created.adding(seconds: $0)) } ?? end
        }
    }
}
