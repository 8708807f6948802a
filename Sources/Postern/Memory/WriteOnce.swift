internal import Synchronization

/// A place for an object that is put there once, by whichever thread is first, and stays: who reads it waits for nobody.
///
/// What `AtomicLazyReference` is, but in this module, where the optimiser sees it: it is read with each request.
struct WriteOnce<Value: AnyObject & Sendable>: ~Copyable, Sendable {
    /// The address of the object, of which this holds a reference; 0: there is none yet.
    private let address = Atomic<UInt>(0)

    deinit { Self.reference(address.load(ordering: .acquiring))?.release() }

    var value: Value? { Self.reference(address.load(ordering: .acquiring))?.takeUnretainedValue() }

    /// Puts it there, if nothing is there.
    /// - Returns: What is there now.
    func put(_ value: Value) -> Value {
        let reference = Unmanaged.passRetained(value)
        let (isPut, other) = address.compareExchange(
            expected: 0,
            desired: UInt(bitPattern: reference.toOpaque()),
            ordering: .acquiringAndReleasing
        )
        if isPut { return value }
        reference.release()
        return Self.reference(other)?.takeUnretainedValue() ?? value
    }

    /// Every address but 0 is that of an object which was retained when it was put there, and is not released before
    /// the end of `self`.
    private static func reference(_ address: UInt) -> Unmanaged<Value>? {
        UnsafeRawPointer(bitPattern: address).map { Unmanaged.fromOpaque($0) }
    }
}
