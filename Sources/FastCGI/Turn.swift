/// In which order requests that were put off get a thread that may wait.
public struct Turn: Sendable {
    /// What a request waits for.
    public enum Line: Int, Sendable {
        /// A disk, or another process: something that many can use at the same time.
        case ordinary
        /// Something that only a few can use at a time, as the cores that hash passwords. Requests of this line may wait for
        /// what the other line waits for as well.
        case scarce
    }

    public var line: Line

    /// For whom it waits. Requests of one key take turns with those of others, so that the many requests of one client
    /// do not hold up the few of another.
    public var key: UInt64

    /// How long it has to wait at least.
    public var delay: Duration

    public init(_ line: Line = .ordinary, key: UInt64 = 0, delay: Duration = .zero) {
        self.line = line
        self.key = key
        self.delay = delay
    }
}
