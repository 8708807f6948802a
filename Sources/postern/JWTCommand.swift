import ArgumentParser
import Glibc
import Postern

struct JWTCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "jwt",
        abstract: "Look at JSON Web Tokens.",
        subcommands: [Verify.self]
    )

    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Read a token on standard input, and print its claims as JSON when it is good.",
            discussion: """
                Its signature, times and structure are checked, not whether it was revoked: for that the running \
                server is asked. A token that is not good ends the command with exit code 65.
                """
        )

        @Option(
            help: ArgumentHelp(
                "A folder of JWK files, as the store's keys, or a file with a JWK Set.",
                valueName: "path"
            ),
            completion: .file()
        )
        var keys: String
        @Option(help: "What iss has to be.")
        var issuer: String?
        @Option(help: "What aud has to be, or to hold.")
        var audience: String?
        @Option(help: "How far clocks may differ: 30s.")
        var leeway: String = "0s"

        func run() throws {
            guard let seconds = TimeSpan.seconds(leeway), seconds <= 600 else {
                throw Failure(.usage, "--leeway \(printable(leeway)) is not a time up to 10m.")
            }
            let verifier: JWTVerifier
            do {
                verifier = try JWTVerifier(keysAt: keys, issuer: issuer, audience: audience, leeway: seconds)
            } catch let error as JWTVerifier.KeysError {
                throw Failure(.noInput, error.description)
            }
            if let passedOver = verifier.passedOver {
                StandardError.write("postern: \(printable(keys)), passed over: \(passedOver).\n")
            }
            let text = try Self.token()
            do {
                StandardOutput.write(try verifier.claims(in: text))
            } catch let error as JWTVerifier.Refusal {
                throw Failure(.dataError, "\(error.description).")
            }
        }

        private static func token() throws -> [UInt8] {
            // One more than any token has is enough to refuse it.
            guard var bytes = WholeFile.bytes(of: STDIN_FILENO, atMost: 65536) else {
                throw Failure(.inputOutput, "Standard input cannot be read.")
            }
            while let last = bytes.last, last == 0x0A || last == 0x0D { bytes.removeLast() }
            guard !bytes.isEmpty else { throw Failure(.noInput, "Standard input holds no token.") }
            return bytes
        }
    }
}
