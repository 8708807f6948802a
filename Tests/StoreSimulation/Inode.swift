import CLinux
import Glibc

/// A file or a folder of the simulated disk: its bytes as every process sees them, and as they are on the disk.
final class Inode {
    let number: UInt
    let isFolder: Bool
    var mode: UInt32
    /// How many names it has.
    var names = 0
    /// Nanoseconds since 1970.
    var changed: Int64 = 0
    var modified: Int64 = 0
    /// Bytes that were set aside for it, beyond those that are in it.
    var allocated = 0
    /// Which open description has the lock on a byte, or on all of a folder (-1).
    var locks: [Int64: Int] = [:]

    /// As of the last sync.
    var durable: [UInt8] = []
    /// What was done since.
    var pending: [Change] = []

    enum Change {
        case write(offset: Int, [UInt8])
        case size(Int)
    }

    private var own: [UInt8] = []
    /// Once a process has mapped the file, its bytes are in memory that the processes and the disk share.
    private var shared: Shared?

    private final class Shared {
        let descriptor: Int32
        let bytes: UnsafeMutableRawBufferPointer
        var size: Int

        /// - Parameter capacity: No file of a simulation grows beyond that.
        init(_ contents: [UInt8], capacity: Int) {
            descriptor = linux_memory_file("simulation")
            size = contents.count
            ftruncate(descriptor, off_t(size))
            let address = mmap(nil, capacity, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
            guard descriptor >= 0, let address, address != MAP_FAILED else { fatalError("no memory to share") }
            bytes = UnsafeMutableRawBufferPointer(start: address, count: capacity)
            bytes.copyBytes(from: contents)
        }

        deinit {
            munmap(bytes.baseAddress, bytes.count)
            close(descriptor)
        }
    }

    init(_ number: UInt, isFolder: Bool, mode: UInt32) {
        self.number = number
        self.isFolder = isFolder
        self.mode = mode
    }

    var size: Int { shared?.size ?? own.count }

    var bytes: [UInt8] { shared.map { Array($0.bytes[..<$0.size]) } ?? own }

    /// Bytes of the disk that it takes.
    var room: Int { max(allocated, (size + 4095) / 4096 * 4096) }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Int {
        let count = max(0, min(buffer.count, size - offset))
        guard count > 0 else { return 0 }
        if let shared {
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: shared.bytes[offset..<offset + count]))
        } else {
            own.withUnsafeBytes {
                buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + count]))
            }
        }
        return count
    }

    func write(_ bytes: [UInt8], at offset: Int) {
        pending.append(.write(offset: offset, bytes))
        if offset + bytes.count > size { resize(to: offset + bytes.count) }
        if let shared {
            UnsafeMutableRawBufferPointer(rebasing: shared.bytes[offset..<offset + bytes.count]).copyBytes(from: bytes)
        } else {
            own.replaceSubrange(offset..<offset + bytes.count, with: bytes)
        }
    }

    func truncate(to size: Int) {
        guard size != self.size else { return }
        pending.append(.size(size))
        resize(to: size)
        allocated = min(allocated, size)
    }

    private func resize(to size: Int) {
        if let shared {
            ftruncate(shared.descriptor, off_t(size))
            shared.size = size
        } else if size < own.count {
            own.removeLast(own.count - size)
        } else {
            own += [UInt8](repeating: 0, count: size - own.count)
        }
    }

    /// The descriptor by which processes map it.
    func mappable() -> Int32 {
        if let shared { return shared.descriptor }
        let made = Shared(own, capacity: 1 << 22)
        own = []
        shared = made
        return made.descriptor
    }

    func sync() {
        durable = bytes
        pending.removeAll()
    }

    /// A sync that fails: any part of what it was to write is on the disk, and the system tries none of it again.
    func failSync(_ random: inout Seeded) {
        durable = onDisk(&random)
        pending.removeAll()
    }

    /// What a power cut may leave.
    func onDisk(_ random: inout Seeded) -> [UInt8] {
        if shared != nil { return mixed(&random) }
        guard !pending.isEmpty else { return durable }
        var state = durable
        let kept = [0, 300, 700, 950, 1000][random.below(5)]
        var end = state.count
        for change in pending {
            let isKept = random.happens(kept)
            switch change {
            case .size(let size):
                end = size
                if isKept { Self.resize(&state, to: size) }
            case .write(let offset, let bytes):
                end = max(end, offset + bytes.count)
                guard isKept else { continue }
                let length = random.happens(200) ? random.below(bytes.count + 1) : bytes.count
                if state.count < offset + length { Self.resize(&state, to: offset + length) }
                state.replaceSubrange(offset..<offset + length, with: bytes.prefix(length))
            }
        }
        // The size may be there before the bytes.
        if state.count < end, random.happens(200) { Self.resize(&state, to: end) }
        return state
    }

    private static func resize(_ bytes: inout [UInt8], to size: Int) {
        if size < bytes.count {
            bytes.removeLast(bytes.count - size)
        } else {
            bytes += [UInt8](repeating: 0, count: size - bytes.count)
        }
    }

    /// Of memory that processes write to the disk gets any sectors at any time.
    private func mixed(_ random: inout Seeded) -> [UInt8] {
        let now = bytes
        var state = durable
        if random.happens(500) || durable.isEmpty { Self.resize(&state, to: now.count) }
        for start in stride(from: 0, to: min(state.count, now.count), by: 512) where random.happens(500) {
            let end = min(start + 512, state.count, now.count)
            state.replaceSubrange(start..<end, with: now[start..<end])
        }
        return state
    }
}
