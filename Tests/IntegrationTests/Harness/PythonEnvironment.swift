import Foundation
import Testing

/// A virtual environment with the packages of `requirements.txt`, made once beside what was built and kept there
/// for as long as that file stays the same.
enum PythonEnvironment {
    /// The interpreter.
    static let python = Result { try make() }

    private static func make() throws -> String {
        let requirements = Site.sources + "/Tests/IntegrationTests/Serving/Peer/requirements.txt"
        let folder = Site.sources + "/.build/python-peers"
        let stamp = folder + "/requirements.txt"
        let wanted = try String(contentsOfFile: requirements, encoding: .utf8)
        let python = folder + "/bin/python"
        // Other processes want it at the same time.
        let lock = open(folder + ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        defer { close(lock) }
        try #require(flock(lock, LOCK_EX) == 0)
        if (try? String(contentsOfFile: stamp, encoding: .utf8)) == wanted { return python }
        try? FileManager.default.removeItem(atPath: folder)
        try Child.run("/usr/bin/env", ["python3", "-m", "venv", folder]).expectSuccess()
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", requirements]
        try Child.run(python, pip).expectSuccess()
        try wanted.write(toFile: stamp, atomically: true, encoding: .utf8)
        return python
    }
}
