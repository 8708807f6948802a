internal import CLinux

/// Counts how often threads that must not wait have done so.
///
/// Why this may be called `Sendable`: the count is atomic, and its address never changes.
final class WaitCounter: @unchecked Sendable {
    /// nil where there was no memory: then nothing is counted.
    let counter = linux_wait_counter_make()

    /// The threads that count have ended by then, for they have the server.
    deinit { linux_wait_counter_free(counter) }

    var value: Int { counter.map { linux_wait_counter_value($0) } ?? 0 }
}
