internal import Dispatch

/// A worker's place among the few that poll and answer at a time. Who has to wait gives it up, and another
/// worker takes it.
final class WorkerPlace {
    private let places: DispatchSemaphore
    private(set) var isHeld = false

    init(among places: DispatchSemaphore) { self.places = places }

    func take() {
        places.wait()
        isHeld = true
    }

    func giveUp() {
        guard isHeld else { return }
        isHeld = false
        places.signal()
    }
}
