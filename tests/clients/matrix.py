#!/usr/bin/env python3
"""Runs real Kafka clients against a broker and checks what they did. README.md says how."""

import argparse
import concurrent.futures
import os
import pathlib
import shutil
import sys
import tempfile
import time

import cells  # noqa: F401 (registers the tests)
from harness import broker, processes, report
from harness.cell import TESTS
from harness.clients import CLIENTS, HOME, impossible, install
from harness.row import Row

PARALLEL = 3


def main():
    options = arguments()
    processes.end_on_signals()
    HOME.mkdir(parents=True, exist_ok=True)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="matrix-", dir=HOME))
    target = broker.from_options(options, directory)
    rows = [Row(client, own_tests(client, options.test), target, directory) for client in options.only]
    rows = [row for row in rows if row.tests]
    exclude(rows, target.owned)
    install(row.client.part for row in rows if not row.client.missing_programs())
    start = time.monotonic()
    try:
        target.start()
        target.wire.prepare_groups()
        fault = run(rows, target)
    finally:
        for row in rows:
            row.close()
        processes.kill_all()
    passed = show(rows, fault, time.monotonic() - start)
    if options.json:
        report.write_json(options.json, rows)
    if passed:
        shutil.rmtree(directory)
    else:
        print(f"logs: {directory}")
    return 0 if passed else 1


def arguments():
    clients = {client.name: client for client in CLIENTS}
    parser = argparse.ArgumentParser(description=__doc__)
    broker.add_options(parser).add_argument("--bootstrap", metavar="HOST:PORT", help="test a broker that runs already")
    parser.add_argument("--only", metavar="CLIENT,…", type=names_of(clients), default=list(clients.values()))
    tests = {name: name for name in TESTS}
    parser.add_argument("--test", metavar="NAME,…", type=names_of(tests), default=list(tests))
    parser.add_argument("--json", metavar="FILE", type=pathlib.Path, help="write the results there, too")
    return parser.parse_args()


def names_of(things):
    """An argument type: some of the things, named with commas between."""

    def parse(text):
        unknown = [name for name in text.split(",") if name not in things]
        if unknown:
            raise argparse.ArgumentTypeError(f"no {', '.join(unknown)}; there are {', '.join(things)}")
        return [things[name] for name in text.split(",")]

    return parse


def own_tests(client, tests):
    """The command-line tools have tests of their own."""
    return [test for test in tests if TESTS[test].of_tools == (not client.command)]


def exclude(rows, owned):
    """Settles the cells that need not be tried."""
    reasons = impossible()
    for row in rows:
        for test in row.tests:
            if (row.client.name, test) in reasons:
                row.exclude("impossible", [test], reasons[row.client.name, test])
        if missing := row.client.missing_programs():
            row.exclude("skipped", row.tests, f"{', '.join(missing)} is missing on this machine")
        if not owned:
            tests = [test for test in row.tests if TESTS[test].stage != "running"]
            row.exclude("skipped", tests, "the broker was not started here and cannot be stopped")


def run(rows, target):
    """All stages; the broker restarts once for all clients. Returns what was wrong with the broker itself."""
    with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        def each(method, stage):
            list(pool.map(lambda row: method(row, stage), rows))

        each(Row.run, "running")
        try:
            for stage, restart in (("restart", target.restart), ("kill", target.crash)):
                if any(row.pending(stage) for row in rows):
                    each(Row.begin, stage)
                    restart()
                    each(Row.finish, stage)
            target.stop()
        except (RuntimeError, TimeoutError) as error:
            for row in rows:
                row.exclude("failed", row.tests, "the broker did not go on")
            return str(error)
        each(Row.run, "stopped")
        return None


def show(rows, fault, seconds):
    """Prints the results and says whether they are good."""
    for tools in (False, True):
        some = [row for row in rows if tools == (not row.client.command)]
        tests = [test for test in TESTS if any(test in row.results for row in some)]
        if some:
            print(report.table(some, tests), end="\n\n")
    for row in rows:
        if row.version:
            print(f"{row.client.name}: {row.version}")
    for text in (report.skips(rows), report.failures(rows), fault and f"✗ the broker: {fault}"):
        if text:
            print(f"\n{text}")
    counts = report.totals(rows)
    print(f"\n{', '.join(f'{count} {status}' for status, count in counts.items())} in {seconds:.0f} s")
    skipped = os.environ.get("CI") == "true" and counts["skipped"]
    return counts["passed"] > 0 and not counts["failed"] and not skipped and not fault


if __name__ == "__main__":
    sys.exit(main())
