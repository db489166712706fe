"""Child processes, each in a process group of its own, none of which outlives this process, however it ends."""

import os
import signal
import subprocess
import sys
import threading

# Reads "+group" and "-group" lines and kills what is left when the pipe closes, which even kill -9 of the parent does.
GUARD = """
import os, signal, sys
groups = set()
for line in sys.stdin:
    (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass
"""

_lock = threading.Lock()
_running = {}
_guard = None


def spawn(command, **options):
    """Starts a command in a new process group."""
    global _guard
    with _lock:
        if _guard is None:
            _guard = subprocess.Popen(
                [sys.executable, "-c", GUARD], stdin=subprocess.PIPE, text=True, start_new_session=True
            )
        process = subprocess.Popen(command, start_new_session=True, **options)
        _running[process.pid] = process
        _tell_guard("+", process)
    return process


def stop(process, grace):
    """Asks a process to end, and kills its whole group when it does not within `grace` seconds."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            pass
    return kill(process)


def kill(process):
    """Kills a process and all that it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
    with _lock:
        if _running.pop(process.pid, None):
            _tell_guard("-", process)
    return process.returncode


def kill_all():
    """Kills everything that is still running."""
    for process in list(_running.values()):
        kill(process)


def end_on_signals():
    """Makes the usual signals kill all children at once and end this process."""

    def end(number, _frame):
        for process in list(_running.values()):
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        os._exit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)


def _tell_guard(sign, process):
    _guard.stdin.write(f"{sign}{process.pid}\n")
    _guard.stdin.flush()
