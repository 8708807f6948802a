import ArgumentParser
import Journal
import Postern

struct KeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key",
        abstract: "Make, list, rotate and retire the keys that sign JSON Web Tokens.",
        discussion: """
            A key is a file in the folder keys of the store. Every key verifies; of those whose time has come the \
            newest signs. Running servers see a change with their next request.
            """,
        subcommands: [Generate.self, Import.self, List.self, Rotate.self, Retire.self, JWKS.self]
    )

    struct Generate: StoreChangingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a key, and print its id.",
            discussion: """
                It signs from now on, or --after that. HS256 is a secret that nobody else can verify with; EdDSA and \
                ES256 are for JWKS.
                """
        )

        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions
        @Option(help: "HS256, EdDSA or ES256.")
        var algorithm: Algorithm = .init(value: .hs256)
        @OptionGroup var start: SigningStart

        func run() throws {
            output.printID(of: try store.open().generateKey(algorithm.value, delay: start.delay()))
        }
    }

    struct Import: StoreChangingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take over the secret with which another program signs by HS256, and print the key's id.",
            discussion: """
                The secret is all of standard input, without the line's end: simplejwt's SIGNING_KEY, which is Django's SECRET_KEY unless \
                the project says otherwise. What was signed with it stays good. It signs no new tokens; retire it when \
                its refresh tokens have expired. Keys and certificates are refused: everybody who knows a public key could sign \
                with it. They belong in the JWK Set that POSTERN_JWT_JWKS names.
                """
        )

        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let store = try store.open()
            let secret = try PasswordInput.secret()
            do {
                output.printID(of: try store.importKey(secret))
            } catch let error as JSONWebKeyError {
                throw Failure(.dataError, "The secret \(error): HS256 needs 32 bytes.")
            }
        }
    }

    struct Rotate: StoreChangingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a key of the algorithm that signs now, which takes over; print its id.",
            discussion: """
                What the old key signed is good until it expires; retire the old key then. With --after, those who \
                fetch our JWKS have that long to see the new key before it signs.
                """
        )

        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var start: SigningStart

        func run() throws {
            let store = try store.open()
            guard let current = try store.keyRing().signer(at: store.now()) else {
                throw Failure(.dataError, "There is no key that signs: run postern key generate.")
            }
            output.printID(of: try store.generateKey(current.key.algorithm, delay: start.delay()))
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the keys; never the keys themselves.")

        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let store = try store.open()
            let ring = try store.keyRing()
            let signer = ring.signer(at: store.now())?.id
            let rows = ring.keys.map { $0.members + [("signs", .bool($0.id == signer))] }
            output.print(rows, headings: ["ID", "ALGORITHM", "CREATED", "SIGNS FROM", "SIGNS"])
        }
    }

    struct Retire: StoreChangingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take keys away. What they signed is refused from the next request on."
        )

        @OptionGroup var store: StoreOptions
        @Argument(help: "The ids, as postern key list shows them.", completion: .keyID)
        var ids: [String]
        @Flag(help: "Also the key that signs now, as after a leak. Without another one there are no new tokens.")
        var force = false
        @OptionGroup var confirmation: Confirmation

        func run() throws {
            let store = try store.open()
            let known = Set(try store.keyRing().keys.map(\.id))
            guard ids.allSatisfy(known.contains) else { throw StoreError.noSuchKey }
            try confirmation.require("retire \(ids.joined(separator: " "))")
            for id in ids { try store.retireKey(id, force: force) }
        }
    }

    struct JWKS: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the public keys as a JWK Set (RFC 7517), for those who verify our tokens."
        )

        @OptionGroup var store: StoreOptions

        func run() throws { StandardOutput.write(try store.open().keyRing().publicSet) }
    }
}

extension StoredKey {
    /// Never the key itself.
    fileprivate var members: [(key: String, value: JSONValue)] {
        [
            ("id", .string(id)), ("algorithm", .string(key.algorithm.rawValue)),
            ("created", .string(created.rfc3339)), ("signs_from", .string(signsFrom.rfc3339)),
        ]
    }
}

extension OutputOptions {
    /// Of a key that was made: alone on its line, or with what else there is to say of it.
    fileprivate func printID(of key: StoredKey) {
        json ? print(key.members) : StandardOutput.write(key.id + "\n")
    }
}

struct Algorithm: ExpressibleByArgument, CustomStringConvertible {
    let value: JSONWebKey.Algorithm

    init(value: JSONWebKey.Algorithm) { self.value = value }

    init?(argument: String) {
        guard let value = JSONWebKey.Algorithm(rawValue: argument), value != .rs256 else { return nil }
        self.value = value
    }

    var description: String { value.rawValue }

    static let defaultCompletionKind = CompletionKind.list(["HS256", "EdDSA", "ES256"])
}

/// When a new key begins to sign.
struct SigningStart: ParsableArguments {
    @Option(name: .customLong("after"), help: "Sign only when so much time has passed: 90s, 5m, 12h, 14d.")
    var text: String?

    func delay() throws -> Int64 {
        guard let text else { return 0 }
        guard let seconds = TimeSpan.seconds(text) else {
            throw Failure(.usage, "--after \(printable(text)) is not a time as 90s, 5m, 12h or 14d.")
        }
        return seconds
    }
}
