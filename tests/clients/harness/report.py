"""The table of results."""

import json

SIGNS = {"passed": "✓", "failed": "✗", "impossible": "-", "skipped": "SKIPPED"}


def table(rows, tests):
    """The tests downwards, the clients across, with milliseconds."""
    lines = [["", *(row.client.name for row in rows)]]
    lines += [[test, *(_cell(row.results.get(test)) for row in rows)] for test in tests]
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip() for line in lines)


def _cell(result):
    if result is None:
        return ""
    sign = SIGNS[result.status]
    return f"{sign} {result.seconds * 1000:.0f}" if result.status in ("passed", "failed") else sign


def failures(rows):
    """What went wrong, with the ends of the logs."""
    parts = []
    for row in rows:
        for test, result in row.results.items():
            if result.status == "failed":
                parts.append(f"✗ {row.client.name} {test}: {result.reason}\n{_indented(result.output)}")
    return "\n\n".join(parts)


def skips(rows):
    """Why cells were skipped, each reason once."""
    reasons = {}
    for row in rows:
        for test, result in row.results.items():
            if result.status == "skipped":
                reasons.setdefault((row.client.name, result.reason), []).append(test)
    return "\n".join(f"SKIPPED {client}: {reason} ({', '.join(tests)})" for (client, reason), tests in reasons.items())


def totals(rows):
    """How many cells there are of each status."""
    counts = dict.fromkeys(SIGNS, 0)
    for row in rows:
        for result in row.results.values():
            counts[result.status] += 1
    return counts


def write_json(path, rows):
    document = {
        row.client.name: {
            "version": row.version,
            "cells": {
                test: {"status": result.status, "milliseconds": round(result.seconds * 1000), "reason": result.reason}
                for test, result in row.results.items()
            },
        }
        for row in rows
    }
    path.write_text(json.dumps(document, indent=2) + "\n")


def _indented(text):
    return "\n".join(f"    {line}" for line in text.splitlines())
