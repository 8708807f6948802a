/// Of a plan that fails the least that still does.
enum Shortening {
    static func shorten(_ plan: Plan, seed: UInt64, limit: Int = 2000) -> Plan {
        let kind = Simulation(plan, seed: seed).run().map(kind)
        var (best, tries, isShorter) = (plan, 0, true)
        while isShorter, tries < limit {
            isShorter = false
            for candidate in candidates(best) {
                tries += 1
                guard tries < limit else { break }
                if Simulation(candidate, seed: seed).run().map(Self.kind) == kind {
                    best = candidate
                    isShorter = true
                    break
                }
            }
        }
        return best
    }

    /// What two findings of the same fault have in common.
    private static func kind(_ violation: String) -> String {
        String((violation.split(separator: ": ", maxSplits: 1).last ?? "").filter(\.isLetter).prefix(24))
    }

    /// The plan without one of its parts, the greatest first.
    private static func candidates(_ plan: Plan) -> [Plan] {
        var plans: [Plan] = []
        func add(_ change: (inout Plan) -> Void) {
            var copy = plan
            change(&copy)
            plans.append(copy)
        }
        for number in plan.rounds.indices.reversed() { add { $0.rounds.remove(at: number) } }
        for number in plan.rounds.indices {
            let round = plan.rounds[number]
            if round.hand != nil { add { $0.rounds[number].hand = nil } }
            if round.kill != nil { add { $0.rounds[number].kill = nil } }
            if round.powerCut != nil { add { $0.rounds[number].powerCut = nil } }
            if round.faults.left > 0 { add { $0.rounds[number].faults = (0, 0) } }
            for process in round.steps.indices {
                if round.steps.count > 1, process == round.steps.count - 1, round.kill?.process != process {
                    add { $0.rounds[number].steps.remove(at: process) }
                }
                for step in round.steps[process].indices {
                    add { $0.rounds[number].steps[process].remove(at: step) }
                }
            }
        }
        return plans
    }
}
