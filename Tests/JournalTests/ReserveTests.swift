import Glibc
import Synchronization
import Testing

@testable import Journal

@Suite("Room that is kept for what ends something")
struct ReserveTests {
    private let folder: TemporaryFolder
    private static let size: Int64 = 1 << 20

    init() throws { folder = try TemporaryFolder() }

    private var status: stat {
        var status = stat()
        _ = stat(folder.path + "/reserve", &status)
        return status
    }

    /// A disk on which there is room only when the reserve is no greater than this.
    private func calls(whenReserveIs size: Atomic64) -> DiskCalls {
        let path = folder.path + "/reserve"
        var calls = DiskCalls()
        calls.write = { descriptor, bytes, offset in
            var status = stat()
            if stat(path, &status) == 0, Int64(status.st_size) > size.value.load(ordering: .relaxed) {
                errno = ENOSPC
                return -1
            }
            return pwrite(descriptor, bytes.baseAddress, bytes.count, off_t(offset))
        }
        return calls
    }

    private final class Atomic64: Sendable {
        let value: Atomic<Int64>
        init(_ value: Int64) { self.value = Atomic(value) }
    }

    @Test("It is made with the first write, with all of its blocks, and nobody else may read it")
    func made() throws {
        try folder.open(reserve: Self.size).append(["a"])
        let status = status
        #expect(status.st_mode & 0o777 == 0o600)
        #expect(Int64(status.st_size) == Self.size)
        #expect(Int64(status.st_blocks) * 512 >= Self.size)
    }

    @Test("A copy of it that takes no room is filled, and so is one that was cut off")
    func copied() throws {
        for size in [Self.size, 4096] {
            unlink(folder.path + "/reserve")
            let descriptor = open(folder.path + "/reserve", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
            #expect(ftruncate(descriptor, off_t(size)) == 0)
            close(descriptor)
            try folder.open(reserve: Self.size).append(["a"])
            #expect(Int64(status.st_size) == Self.size)
            #expect(Int64(status.st_blocks) * 512 >= Self.size)
        }
    }

    @Test(
        "What may use it gets as much of it as it needs; what may not is refused, and makes it whole where there is room"
    )
    func used() throws {
        let limit = Atomic64(.max)
        let reader = try folder.open(calls: calls(whenReserveIs: limit), reserve: Self.size)
        try reader.append(["a"])
        limit.value.store(Self.size - 200_000, ordering: .relaxed)
        #expect(throws: JournalError.self) { try reader.append(["b"]) }
        #expect(Int64(status.st_size) == Self.size)
        try reader.append(ending: ["c"])
        let left = Int64(status.st_size)
        #expect(left < Self.size - 200_000)
        #expect(left > 0)
        try reader.append(ending: ["d"])
        #expect(Int64(status.st_size) == left)
        // Here it can be made whole, and then there is no room.
        #expect(throws: JournalError.self) { try reader.append(["e"]) }
        #expect(Int64(status.st_size) == Self.size)
        limit.value.store(-1, ordering: .relaxed)
        // Nothing helps when all of it is used up.
        #expect(throws: JournalError.self) { try reader.append(ending: ["f"]) }
        #expect(status.st_size == 0)
        limit.value.store(.max, ordering: .relaxed)
        try reader.append(["g"])
        #expect(Int64(status.st_size) == Self.size)
        #expect(try folder.open().read() == ["a", "c", "d", "g"])
    }

    @Test("Something else of its name keeps nobody from writing", arguments: [true, false])
    func other(isFolder: Bool) throws {
        let path = folder.path + "/reserve"
        if isFolder { mkdir(path, 0o700) } else { symlink("/dev/null", path) }
        defer { if isFolder { rmdir(path) } }
        let reader = try folder.open(reserve: Self.size)
        try reader.append(["a"])
        try reader.append(ending: ["b"])
        #expect(try reader.read() == ["a", "b"])
    }
}
