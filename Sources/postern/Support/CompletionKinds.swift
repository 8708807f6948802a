import ArgumentParser
import Postern

/// What a shell offers for the arguments of commands.
extension CompletionKind {
    /// Names of users of the store that the command line or the environment names; nothing where it cannot be opened.
    static var username: CompletionKind {
        .custom { words, _, _ in names(words) { try $0.allUsers().map(\.username.description) } }
    }

    static var groupName: CompletionKind {
        .custom { words, _, _ in names(words) { try $0.groups().keys.map(\.description) } }
    }

    static var keyID: CompletionKind { .custom { words, _, _ in names(words) { try $0.keyRing().keys.map(\.id) } } }

    static let systemUser = CompletionKind.shellCommand("getent passwd | cut -d: -f1")

    private static func names(_ words: [String], _ list: (Store) throws -> [String]) -> [String] {
        guard let path = storePath(words), let store = try? Store(openingForFew: path), let names = try? list(store)
        else {
            return []
        }
        // A shell takes it for one word, and shows it.
        return names.filter { !$0.isEmpty && $0.utf8.allSatisfy { $0 > 0x20 && $0 != 0x3A && $0 != 0x7F } }.sorted()
    }

    private static func storePath(_ words: [String]) -> String? {
        for (word, next) in zip(words, words.dropFirst()) where word == "--store" { return next }
        if let word = words.first(where: { $0.hasPrefix("--store=") }) {
            return String(word.dropFirst("--store=".count))
        }
        return try? StoreOptions.defaultPath()
    }
}
