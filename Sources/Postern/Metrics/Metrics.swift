internal import CLinux
internal import Glibc
internal import Journal
internal import Synchronization

/// How the server of a process is.
struct ServerState: Equatable {
    var connections = 0
    /// Requests that wait for a thread.
    var waiting = 0
    var waitsOnLoops = 0
}

/// What happened, counted in memory that all processes of a store share, so that whichever of them answers a scrape
/// tells of all.
///
/// A counter is a word for each of eight stripes. A thread adds to the stripe of the processor that it runs on, so threads
/// hardly ever meet at one, and nobody waits for anybody. Whoever reads adds the stripes up. The file is never synced: after
/// a power cut the counters begin again, which Prometheus expects of counters.
final class Metrics: Sendable {
    private let file: MappedFile
    private let observed = Mutex<Observed?>(nil)
    private let views: ViewNumbers
    private let care: FileCare?

    /// A box of functions as such would wrap them anew each time that one is called, as in `JournalFolder`.
    private struct Observed {
        let state: @Sendable () -> ServerState
    }

    /// Where things are in the file. Another layout needs another `magic`.
    enum Layout {
        static let magic = Array("metrics1".utf8)
        static let lockOffset = 8
        static let viewCountOffset = 16
        static let namesOffset = 4096
        static let stripesOffset = 8192
        static let stripeCount = 8
        static let stripeSize = 8 * (generalCount + viewCapacity * viewWords)
        static let size = stripesOffset + stripeCount * stripeSize
        /// Words that are about no view.
        static let generalCount = 128
        static let viewCapacity = 64
        static let viewWords = 64
        /// Bytes of a view's name, the first of which says how many.
        static let nameSize = 64
    }

    static let fileName = "metrics"

    /// What is counted besides requests and refusals.
    enum Event: Int, CaseIterable {
        case loginsSucceeded, loginsFailed
        case passwordsHashed, hashesRefused
        case policyMisses
        case tokenHits, tokenMisses
        case passwordHits, passwordMisses
        case failedSyncs
        case auditLines, auditLinesLeftOut, auditLinesFailed
        case keySetErrors
    }

    /// - Throws: ``JournalError`` when the file can be neither opened nor made.
    init(in folder: JournalFolder) throws(JournalError) {
        file = try MappedFile(Self.fileName, in: folder, size: Layout.size, magic: Layout.magic)
        views = ViewNumbers(in: file)
        care = folder.lookAfter(file) { [views] in views.putDownAgain() }
    }

    /// Counts for this process alone. nil where there is no memory for it.
    init?() {
        guard let file = MappedFile(size: Layout.size, header: Layout.magic) else { return nil }
        self.file = file
        views = ViewNumbers(in: file)
        care = nil
    }

    // MARK: Views

    /// The number of requests whose location names no view, or makes no sense.
    static let noView = 0

    /// Under which number requests to a view are counted.
    func number(ofView name: String) -> Int { views.number(of: name) }

    /// Names by the numbers that they have in the file.
    var viewNames: [String] { views.names }

    // MARK: The server

    /// - Parameter state: Says how the server of this process is.
    func observeServer(_ state: @escaping @Sendable () -> ServerState) {
        observed.withLock { $0 = Observed(state: state) }
    }

    /// nil where nobody knows.
    var serverState: ServerState? { observed.withLock { $0 }?.state() }

    // MARK: Counting

    /// A word of each stripe.
    private struct Word {
        let offset: Int

        init(general number: Int) { offset = 8 * number }

        init(view: Int, _ number: Int) { offset = 8 * (Layout.generalCount + view * Layout.viewWords + number) }
    }

    /// Of the words that are about no view: reasons of refusals, events, and the time that syncs take.
    private static let eventWords = 32
    private static let syncWords = 64

    /// Of a view's words: a request by scheme and status, and the time that requests take.
    private static let timeWords = 40

    /// - Parameter scheme: One of ``schemeNumber(_:)``.
    func countRequest(view: Int, scheme: Int, status: Int, nanoseconds: UInt64) {
        // 1xx does not occur: statuses are from 200 to 599.
        let outcome = min(max(status / 100 - 2, 0), Self.outcomeCount - 1)
        let stripe = Self.ownStripe
        let view = views.inFile(view)
        add(1, to: Word(view: view, scheme * Self.outcomeCount + outcome), stripe)
        add(1, to: Word(view: view, Self.timeWords + LatencyHistogram.bucket(of: nanoseconds)), stripe)
        add(nanoseconds, to: Word(view: view, Self.timeWords + LatencyHistogram.bucketCount), stripe)
    }

    func count(_ refusal: Refusal) { add(1, to: Word(general: refusal.rawValue), Self.ownStripe) }

    func count(_ event: Event) { add(1, to: Word(general: Self.eventWords + event.rawValue), Self.ownStripe) }

    func countSync(nanoseconds: UInt64) {
        let stripe = Self.ownStripe
        add(1, to: Word(general: Self.syncWords + LatencyHistogram.bucket(of: nanoseconds)), stripe)
        add(nanoseconds, to: Word(general: Self.syncWords + LatencyHistogram.bucketCount), stripe)
    }

    /// That of the processor on which the thread runs. Where it is moved to another one meanwhile, nothing is lost.
    private static var ownStripe: Int { Int(linux_processor()) & (Layout.stripeCount - 1) }

    private func add(_ number: UInt64, to word: Word, _ stripe: Int) {
        atomic(word, stripe).pointee.wrappingAdd(number, ordering: .relaxed)
    }

    private func atomic(_ word: Word, _ stripe: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
        file.atomic(at: Layout.stripesOffset + stripe * Layout.stripeSize + word.offset)
    }

    /// Nanoseconds of a clock that nobody sets.
    static func monotonicTime() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }

    // MARK: Reading

    static let outcomes = ["2xx", "3xx", "4xx", "5xx"]
    private static let outcomeCount = 4

    /// The schemes that are told apart. Those of an engineer's own are one.
    static let schemes = ["none", "Token", "JWT", "Session", "Basic", "Knox", "other"]

    static func schemeNumber(_ scheme: String) -> Int { schemes.firstIndex(of: scheme) ?? schemes.count - 1 }

    func requests(view: Int, scheme: Int, outcome: Int) -> UInt64 {
        sum(Word(view: view, scheme * Self.outcomeCount + outcome))
    }

    func times(view: Int) -> LatencyHistogram {
        LatencyHistogram(words: (0...LatencyHistogram.bucketCount).map { sum(Word(view: view, Self.timeWords + $0)) })
    }

    var syncTimes: LatencyHistogram {
        LatencyHistogram(words: (0...LatencyHistogram.bucketCount).map { sum(Word(general: Self.syncWords + $0)) })
    }

    subscript(refusal: Refusal) -> UInt64 { sum(Word(general: refusal.rawValue)) }

    subscript(event: Event) -> UInt64 { sum(Word(general: Self.eventWords + event.rawValue)) }

    private func sum(_ word: Word) -> UInt64 {
        (0..<Layout.stripeCount).reduce(0) { $0 &+ atomic(word, $1).pointee.load(ordering: .relaxed) }
    }
}
