"""Locks that fork() waits for: no child is born while another thread of its parent holds one."""

from __future__ import annotations

import os
import threading
from typing import Any


def fork_safe_lock() -> Any:
    """Return a re-entrant lock. A fork takes them all, the youngest first: make inner locks before outer ones."""
    lock = threading.RLock()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
    return lock
