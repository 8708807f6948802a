import ArgumentParser
import Glibc
import Journal
import Postern

extension StoreCommand {
    struct Init: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make the folder of an empty store.",
            discussion: "The folder must not exist or be empty. There is no account in a new store."
        )

        @Argument(help: "The folder.", completion: .directory)
        var path: String
        @Flag(
            help:
                "Where there is a store already, do what postern store upgrade does: for containers, which run this before each start."
        )
        var orUpgrade = false

        func run() throws {
            guard orUpgrade else { return try Store.create(at: path) }
            // A store has another name until it is whole: what a kill leaves is never taken for it.
            let path = JournalFolder.withoutSlashes(path)
            var name = Array((path + ".new-XXXXXX").utf8CString)
            guard rmdir(path) == 0 || errno == ENOENT, mkdtemp(&name) != nil else { return try upgrade(path) }
            let temporary = String(decoding: name.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
            do {
                try Store.create(at: temporary)
                try JournalFolder.move(temporary, to: path)
            } catch {
                Folder.removeTree(temporary)
                // Another process was first.
                guard case JournalError.notEmpty = error else { throw error }
                try upgrade(path)
            }
        }

        private func upgrade(_ path: String) throws { _ = try Store.upgrade(at: path) }
    }
}
