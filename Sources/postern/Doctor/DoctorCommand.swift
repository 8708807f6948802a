import ArgumentParser
import Glibc
import Postern

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract:
            "Look at the store, the socket, the machine and the includes, and say what is wrong and what mends it.",
        discussion: """
            Run it as root, or as the owner of the store. A line a finding; exit code 1 when there is one. Notes \
            do not count as findings. Nothing is changed. The web server's own configuration is for postern lint.
            """
    )

    @OptionGroup var store: StoreOptions
    @OptionGroup var output: OutputOptions
    @Option(
        help: ArgumentHelp("Where the server listens: /path.sock, 127.0.0.1:9000 or [::1]:9000.", valueName: "address"),
        completion: .file()
    )
    var socket = "/run/postern/postern.sock"
    @Option(
        help: ArgumentHelp(
            "A file that came with Postern and that the web server includes, or a folder of such files; may be repeated.",
            discussion: "Default: /etc/nginx and /etc/lighttpd.",
            valueName: "path"
        ),
        completion: .file()
    )
    var nginxInclude: [String] = []

    func run() throws {
        let checks = try checks()
        let diagnoses = checks.map { ($0.name, $0.diagnose()) }
        let isWell = diagnoses.allSatisfy(\.1.findings.isEmpty)
        if output.json {
            StandardOutput.write(
                .array(
                    diagnoses.map { name, diagnosis in
                        .object([
                            ("check", .string(name)), ("state", diagnosis.state.map { .string($0) } ?? .null),
                            ("findings", .array(diagnosis.findings.map { .string($0) })),
                            ("notes", .array(diagnosis.notes.map { .string($0) })),
                        ])
                    }
                )
            )
        } else {
            for (name, diagnosis) in diagnoses {
                for finding in diagnosis.findings { StandardOutput.write(printable("\(name): \(finding)") + "\n") }
                for note in diagnosis.notes { StandardOutput.write(printable("\(name), note: \(note)") + "\n") }
            }
            if isWell { StandardOutput.write("All is well: \(checks.map(\.name).joined(separator: ", ")).\n") }
        }
        guard isWell else { throw ExitCode(1) }
    }

    /// What is about the contents of a store needs one that can be opened.
    private func checks() throws -> [any DoctorCheck] {
        let path = try store.path()
        let files: [any DoctorCheck] = [SettingsCheck(), StoreFilesCheck(path: path), FreeSpaceCheck(path: path)]
        let opened: [any DoctorCheck]
        do {
            let store = try Store(opening: path)
            opened = [
                LockCheck(path: path), JournalsCheck(store: store), SigningKeyCheck(store: store),
                ClockCheck(store: store),
            ]
        } catch {
            opened = [UnopenedStoreCheck(error: error)]
        }
        return opened + files + [
            SocketCheck(address: socket), ServerProcessCheck(socket: socket), LibFCGICheck(),
            IncludesCheck(paths: nginxInclude.isEmpty ? IncludesCheck.usualFolders : nginxInclude),
            KeySetsCheck(paths: nginxInclude.isEmpty ? KeySetsCheck.usualFolders : nginxInclude),
        ]
    }
}
