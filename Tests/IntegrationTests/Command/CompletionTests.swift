import Foundation
import Testing

/// The completions, in the shells that they are for.
@Suite("Completions")
struct CompletionTests {
    private let folder: String

    init() throws {
        folder = try Site.temporaryFolder()
        try Child.run(Site.binary, ["store", "init", folder + "/store"]).expectSuccess()
        for name in ["ann", "anton", "ben"] { try run(["user", "add", name, "--no-password"]).expectSuccess() }
        try run(["group", "set", "ops"]).expectSuccess()
    }

    private func run(_ arguments: [String]) throws -> Child.Finished {
        try Child.run(Site.binary, arguments, environment: ["POSTERN_STORE": folder + "/store"])
    }

    private func script(for shell: String) throws -> String {
        let script = try run(["--generate-completion-script", shell])
        try script.expectSuccess()
        let path = folder + "/" + (shell == "zsh" ? "_postern" : "postern." + shell)
        try script.output.write(toFile: path, atomically: false, encoding: .utf8)
        return path
    }

    private func run(_ shell: String, _ arguments: [String]) throws -> Child.Finished {
        let path = (Site.binary as NSString).deletingLastPathComponent + ":/usr/bin:/bin"
        let environment = ["POSTERN_STORE": folder + "/store", "PATH": path, "HOME": folder, "LC_ALL": "C.UTF-8"]
        return try Child.run(shell, arguments, environment: environment)
    }

    /// What is typed, and what is offered for its last word.
    private static let offers = [
        ("postern st", ["store"]), ("postern store che", ["check"]), ("postern user sh", ["show"]),
        ("postern user show an", ["ann", "anton"]), ("postern user grant ann --group o", ["ops"]),
        ("postern key generate --algorithm E", ["ES256", "EdDSA"]),
    ]

    @Test("bash", arguments: offers)
    func bash(typed: String, offered: [String]) throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        // As readline calls it (bash(1), Programmable Completion).
        let program = #"""
            source "$1"
            read -ra COMP_WORDS <<<"$2"
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_LINE=$2 COMP_POINT=${#2} COMP_TYPE=9
            [[ $(complete -p postern) =~ -F\ ([^ ]+) ]] || exit 3
            "${BASH_REMATCH[1]}" postern "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
            printf '%s\n' "${COMPREPLY[@]}"
            """#
        let shell = try run(
            "/bin/bash",
            ["--norc", "--noprofile", "-c", program, "bash", try script(for: "bash"), typed]
        )
        #expect(
            Set(shell.output.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }) == Set(offered)
        )
        #expect(shell.error.isEmpty, "\(shell.error)")
    }

    /// What comes from the store is offered only where somebody types.
    @Test("fish", arguments: offers.filter { $0.1.first != "ann" && $0.1 != ["ops"] })
    func fish(typed: String, offered: [String]) throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let program = "source \(try script(for: "fish")); complete -C \"\(typed)\""
        let shell = try run("/usr/bin/fish", ["--no-config", "-c", program])
        #expect(Set(shell.output.split(separator: "\n").map { String($0.prefix { $0 != "\t" }) }) == Set(offered))
        #expect(shell.error.isEmpty, "\(shell.error)")
    }

    @Test("zsh, of which one possibility is put in")
    func zsh() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        _ = try script(for: "zsh")
        // A terminal for the line editor; what it makes of the line is handed to a function.
        let program = #"""
            zmodload zsh/zpty
            zpty shell zsh -f -i
            zpty -w shell "fpath=($1 \$fpath); autoload -U compinit; compinit -D -u; bindkey '^I' complete-word"
            zpty -w shell "postern() { print -r -- \"\$*\" >>$1/typed }"
            zpty -w shell $'postern st\t'
            zpty -w shell $'postern store che\t'
            zpty -w shell "exit"
            while zpty -r shell line; do :; done
            """#
        let shell = try run("/usr/bin/zsh", ["-f", "-c", program, "zsh", folder])
        let typed = (try? String(contentsOfFile: folder + "/typed", encoding: .utf8)) ?? ""
        let lines = typed.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
        #expect(lines == ["store", "store check"], "\(shell.error)")
    }
}
