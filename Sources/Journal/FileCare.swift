/// A file that a ``JournalFolder`` looks after, for as long as somebody keeps this.
package final class FileCare: Sendable {
    private let file: MappedFile
    private let isReplaced: @Sendable () -> Void

    init(_ file: MappedFile, isReplaced: @escaping @Sendable () -> Void) {
        self.file = file
        self.isReplaced = isReplaced
    }

    func look() throws(JournalError) { try file.look(isReplaced: isReplaced) }
}
