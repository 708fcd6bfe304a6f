"""Which process did something, in words that tell another one later whether it still lives."""

from __future__ import annotations

import os
import socket
import uuid
from pathlib import Path

import psutil


def _machine() -> str:
    """Return what tells this machine, since it started, from any other that has numbers of processes of its own."""
    try:
        started = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{socket.gethostname()} {started} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return uuid.uuid4().hex  # known to this process alone: others see its death by its silence


MACHINE = _machine()


def this() -> str:
    """Return this process: its machine and its number there."""
    return f"{MACHINE} {os.getpid()}"


def is_here(process: str) -> bool:
    """Tell whether a process was on this machine, since it started."""
    return process.rsplit(" ", 1)[0] == MACHINE


def has_died(process: str) -> bool:
    """Tell whether a process was on this machine, and none has its number now."""
    return is_here(process) and not psutil.pid_exists(int(process.rsplit(" ", 1)[1]))
