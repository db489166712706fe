"""How figures are shown."""

import math
import statistics
import sys

from protocol import Failure

GB, MB = 10**9, 10**6


def say(text):
    print(text, file=sys.stderr, flush=True)


def shown(values, unit):
    """A value with its unit; of several the median, the least and the most."""
    if not values:
        return ""
    middle = statistics.median(values)
    if unit == "s" and middle < 1:
        unit, values = "ms", [value * 1e3 for value in values]
    elif unit == "B" and middle < 0.1 * MB:
        unit, values = "KB", [value / 1e3 for value in values]
    elif unit == "B":
        unit, values = "MB", [value / 1e6 for value in values]
    text = digits(statistics.median(values))
    if len(values) > 1:
        text += f" ({digits(min(values))}–{digits(max(values))})"
    return f"{text} {unit}".rstrip()


def digits(value):
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def percentile(values, percent):
    if not values:
        raise Failure("nothing was measured; the machine is too busy, try again when it does less")
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]
