internal import Journal

/// What is left of the JSON Web Tokens that are not good for as long as they say, as the events of the journal
/// `revocations` add them up: `TIME  rotated  FAMILY  USED-JTI  NEW-JTI  ISSUED  EXPIRES  CALLER` and
/// `TIME  revoked  FAMILY-OR-JTI  EXPIRES`.
struct RevocationTable: EventSourced {
    init(_: Whole) {}

    private var families = Parted<[UInt8], RefreshFamily>()
    /// Which of them are looked at next to see whether they have expired.
    private var sweep = Sweep()

    /// Seconds for which an entry is kept after what it is about has expired: more than any leeway.
    private static let margin: Int64 = 3600

    subscript(family: [UInt8]) -> RefreshFamily? { families[family] }

    /// Whether the family or the single token of this name was revoked.
    func isRevoked(_ id: [UInt8]) -> Bool { families[id].map { $0.last == nil } ?? false }

    static func rotation(_ family: [UInt8], _ rotation: RefreshFamily.Rotation) -> Event {
        Event([
            Array("rotated".utf8), family, rotation.used, rotation.successor.jti,
            Array(rotation.successor.issued.rfc3339.utf8), Array(rotation.successor.expires.rfc3339.utf8),
            rotation.caller,
        ])
    }

    static func revocation(of id: [UInt8], expires: Timestamp) -> Event {
        Event([Array("revoked".utf8), id, Array(expires.rfc3339.utf8)])
    }

    static func ends(_ event: Event) -> Bool { [Array("revoked".utf8)].contains(event.columns.first) }

    var count: Int { families.count }

    func write(
        to file: CompactedFile,
        at now: Timestamp,
        isAlive: (User.ID, Int64) -> Bool
    ) throws(JournalError) {
        for (id, family) in families.entries where now < family.expires.adding(seconds: Self.margin) {
            let event = family.last.map { Self.rotation(id, $0) } ?? Self.revocation(of: id, expires: family.expires)
            try file.add(event, at: now)
        }
    }

    mutating func apply(_ event: EventLine) throws(EventError) {
        var columns = EventReader(event)
        let verb = try columns.text()
        let id = try columns.bytes()
        switch verb {
        case "rotated":
            let used = try columns.bytes()
            let jti = try columns.bytes()
            let issued = try columns.time()
            let expires = try columns.time()
            let successor = RefreshSuccessor(jti: jti, issued: issued, expires: expires)
            let rotation = RefreshFamily.Rotation(used: used, successor: successor, caller: try columns.bytes())
            families[id] = RefreshFamily(last: rotation, expires: expires)
        case "revoked": families[id] = RefreshFamily(last: nil, expires: try columns.time())
        default: throw .unknown(verb)
        }
        for id in families.over(&sweep, where: { event.time >= $1.expires.adding(seconds: Self.margin) }) {
            families[id] = nil
        }
    }
}
