import ArgumentParser
import Glibc

/// What cannot be undone is asked about first, unless `--yes` has answered.
///
/// Ending tokens and sessions is not among it: others can be had, and whoever ends one after a leak is in a hurry.
struct Confirmation: ParsableArguments {
    @Flag(help: "Do not ask.")
    var yes = false

    /// - Parameter action: What is about to be done, as `delete the user ann`.
    /// - Throws: ``Failure``, exit code 64, unless the answer is yes. Where standard input is no terminal nobody is asked.
    func require(_ action: String) throws {
        if yes { return }
        if isatty(STDIN_FILENO) == 1 {
            StandardError.write("To \(action) cannot be undone. Type yes: ")
            if readLine() == "yes" { return }
        }
        throw Failure(.usage, "To \(action) cannot be undone: say --yes, or answer yes at a terminal.")
    }
}
