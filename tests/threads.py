"""Several threads at once: for tests, and for the programs of subprocess_case.py, which begin with these functions."""

import contextlib
import threading


@contextlib.contextmanager
def running(count, work):
    """Within it `count` threads run work(0), work(1), ...; waits for their ends, and raises the first error of one."""
    errors = []

    def guarded(number):
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]


def in_threads(count, work):
    """Run work(0), work(1), ... in `count` threads at once, and raise the first error of one."""
    with running(count, work):
        pass


@contextlib.contextmanager
def meanwhile(count, work):
    """Within it `count` threads run work() again and again; raises the first error of one at the end."""
    stop = threading.Event()

    def repeated(_):
        while not stop.is_set():
            work()

    with running(count, repeated):
        try:
            yield
        finally:
            stop.set()
