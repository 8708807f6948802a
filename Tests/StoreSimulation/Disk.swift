/// The simulated disk: names, what each leads to, and what of that a power cut leaves.
final class Disk {
    /// Paths of all files and folders.
    private(set) var names: [String: Inode] = [:]
    private var durableNames: [String: Inode] = [:]
    /// What was done to names since the last sync of their folders, in order.
    private var pending: [NameChange] = []
    private var lastNumber: UInt = 1
    /// Bytes of it, and those that other programs take.
    let size: Int
    var taken = 0

    private struct NameChange {
        var folder: String
        var path: String
        /// nil: the name is gone.
        let inode: Inode?
        /// Where it was before, in the same step.
        var former: String?
    }

    init(size: Int) { self.size = size }

    var free: Int {
        var (inodes, used) = (Set<UInt>(), taken)
        for inode in names.values where inodes.insert(inode.number).inserted { used += inode.room }
        return size - used
    }

    subscript(_ path: String) -> Inode? { names[path] }

    static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
        return String(path[..<slash])
    }

    func make(_ path: String, isFolder: Bool, mode: UInt32) -> Inode {
        lastNumber += 1
        let inode = Inode(lastNumber, isFolder: isFolder, mode: mode)
        link(inode, path)
        return inode
    }

    private func link(_ inode: Inode, _ path: String) {
        names[path]?.names -= 1
        names[path] = inode
        inode.names += 1
        pending.append(NameChange(folder: Self.parent(of: path), path: path, inode: inode))
    }

    func unlink(_ path: String) {
        names.removeValue(forKey: path)?.names -= 1
        pending.append(NameChange(folder: Self.parent(of: path), path: path, inode: nil))
    }

    /// Also of a folder, with all that is in it.
    func rename(_ path: String, to other: String) {
        guard let inode = names.removeValue(forKey: path) else { return }
        names[other]?.names -= 1
        names[other] = inode
        if inode.isFolder {
            names = moved(names, from: path, to: other)
            // What was done in it before is done in it, whatever it is called.
            for number in pending.indices {
                pending[number].folder = moved(pending[number].folder, from: path, to: other)
                guard pending[number].folder.hasPrefix(other) else { continue }
                pending[number].path = moved(pending[number].path, from: path, to: other)
                pending[number].former = pending[number].former.map { moved($0, from: path, to: other) }
            }
            // Of folders there is no half: such a change is durable at once.
            durableNames = moved(durableNames, from: path, to: other)
            durableNames[path] = nil
            durableNames[other] = inode
        } else {
            pending.append(NameChange(folder: Self.parent(of: other), path: other, inode: inode, former: path))
        }
    }

    private func moved(_ path: String, from old: String, to new: String) -> String {
        path == old || path.hasPrefix(old + "/") ? new + path.dropFirst(old.count) : path
    }

    private func moved(_ names: [String: Inode], from old: String, to new: String) -> [String: Inode] {
        var moved: [String: Inode] = [:]
        for (name, inode) in names { moved[name == old ? name : self.moved(name, from: old, to: new)] = inode }
        return moved
    }

    func names(in folder: String) -> [String] {
        let prefix = folder + "/"
        return names.keys.filter { $0.hasPrefix(prefix) && !$0.dropFirst(prefix.count).contains("/") }
            .map { String($0.dropFirst(prefix.count)) }.sorted()
    }

    func removeTree(_ path: String) {
        for name in names.keys.filter({ $0 == path || $0.hasPrefix(path + "/") }).sorted() { unlink(name) }
    }

    /// Makes the names in a folder durable, in the order in which they came. Others may be before them.
    func sync(_ folder: String) {
        var rest: [NameChange] = []
        for change in pending {
            if change.folder == folder { apply(change) } else { rest.append(change) }
        }
        pending = rest
    }

    private func apply(_ change: NameChange) {
        if let former = change.former { durableNames[former] = nil }
        durableNames[change.path] = change.inode
    }

    /// What is left after a power cut: of names a first part of what was done, of bytes any.
    func cutPower(_ random: inout Seeded) {
        for change in pending.prefix(random.below(pending.count + 1)) { apply(change) }
        pending.removeAll()
        // What is in a folder that is not there cannot be found.
        durableNames = durableNames.filter { path, _ in
            let parent = Self.parent(of: path)
            return parent == "/" || durableNames[parent] != nil
        }
        // In an order that does not hang on names: those of keys are drawn by the system's own generator.
        var state: [String: (inode: Inode, bytes: [UInt8])] = [:]
        for (path, inode) in durableNames.sorted(by: { $0.value.number < $1.value.number }) {
            state[path] = (inode, inode.onDisk(&random))
        }
        start(from: state)
    }

    /// An orderly end of the system.
    func shutDown() {
        start(from: names.mapValues { ($0, $0.bytes) })
    }

    private func start(from state: [String: (inode: Inode, bytes: [UInt8])]) {
        names = [:]
        for path in state.keys.sorted() {
            guard let (old, bytes) = state[path] else { continue }
            let new = Inode(old.number, isFolder: old.isFolder, mode: old.mode)
            new.changed = old.changed
            new.modified = old.modified
            new.allocated = min(old.allocated, bytes.count)
            new.write(bytes, at: 0)
            new.sync()
            names[path] = new
            new.names = 1
        }
        durableNames = names
        pending = []
    }
}
