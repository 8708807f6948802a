import ArgumentParser
import Glibc
import Postern

/// `postern`: serves requests, and administers users and tokens.
@main
struct PosternCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "postern",
        abstract: "Authentication and permissions for APIs behind nginx or lighttpd.",
        discussion: """
            The web server's locations say what is required where; postern answers who is asking and \
            whether they may. The store is a folder of flat files, named by --store or by the environment \
            variable POSTERN_STORE; any number of processes may use it at the same time.
            """,
        version: Version.current,
        subcommands: [
            ServeCommand.self, UserCommand.self, GroupCommand.self, TokenCommand.self, SessionCommand.self,
            KeyCommand.self,
            JWTCommand.self, StoreCommand.self, ImportCommand.self, ExportCommand.self, ExplainCommand.self,
            LintCommand.self, SettingsCommand.self, DoctorCommand.self, HealthCommand.self,
        ]
    )

    /// Swift reads each argument as UTF-8 and puts U+FFFD where it is none, and a name would be stored so.
    private static func checkArguments() throws {
        for (position, argument) in UnsafeBufferPointer(start: CommandLine.unsafeArgv, count: Int(CommandLine.argc))
            .enumerated()
        {
            guard let argument, String(validatingCString: argument) == nil else { continue }
            throw Failure(.usage, "Argument \(position) is not valid UTF-8: set the terminal to UTF-8.")
        }
    }

    private static var isServing: Bool { CommandLine.arguments.dropFirst().first == "serve" }

    /// Ends with one sentence on standard error and an exit code of sysexits.h.
    static func main() {
        if isServing { _ = ServerSignals() }
        // A pipe that nobody reads and a file-size limit are errors of the write, not ends of the process.
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
        StandardStreams.fill()
        do {
            try checkArguments()
            var command = try parseAsRoot()
            let audit = try (command as? any ChangingCommand).flatMap { try CommandAudit($0) }
            do {
                try command.run()
                try StandardOutput.check()
            } catch {
                audit?.note(status: Failure(error)?.code.rawValue ?? exitCode(for: error).rawValue)
                throw error
            }
            audit?.note(status: 0)
        } catch {
            guard let failure = Failure(error) else {
                // Flags that a server does not understand; help is no refusal.
                if isServing, exitCode(for: error) != .success {
                    Refusal.tell(self.message(for: error))
                }
                exit(withError: error)
            }
            StandardError.write("postern: \(failure.message)\n")
            Glibc.exit(failure.code.rawValue)
        }
    }
}
