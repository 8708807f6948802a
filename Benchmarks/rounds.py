"""The comparison: every subject with every number of clients, in short rounds that take turns."""

import dataclasses
import statistics

import load
import machine


@dataclasses.dataclass
class Row:
    """Of one subject with so many clients. Ratios are medians of the ratios within each round."""
    samples: list = dataclasses.field(default_factory=list)
    resident: int = None
    private: int = None

    def median(self, name):
        return statistics.median(getattr(sample, name) for sample in self.samples)

    def ratio(self, other, name):
        return statistics.median(
            getattr(own, name) / getattr(its, name) for own, its in zip(self.samples, other.samples))

    def difference(self, other, name):
        return statistics.median(
            getattr(own, name) - getattr(its, name) for own, its in zip(self.samples, other.samples))


def in_turns(names, rounds, measure, label, warms_up=True):
    """Calls `measure(name, is_counted)` for each name in each round, another one first each time; a round before the
    first warms up."""
    for round in range(-1 if warms_up else 0, rounds):
        first = round % len(names)
        for name in names[first:] + names[:first]:
            machine.show_progress(f"{label}, round {round + 1} of {rounds}: {name}")
            measure(name, round >= 0)
    machine.show_progress("")


def compare(scene, subjects, clients, rounds):
    """Rows by name, with so many clients."""
    rows = {name: Row() for name in subjects}

    def measure(name, is_counted):
        subject, row = subjects[name], rows[name]
        sample = load.measure(scene, subject.load, clients, subject.seconds if is_counted else 1, subject.port)
        if is_counted:
            row.samples.append(sample)
        if subject.load.backend:
            row.resident, row.private = subject.load.backend.memory()

    in_turns(list(subjects), rounds, measure, f"{clients} clients", warms_up=False)
    return rows
