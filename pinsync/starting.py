"""How a process of ours starts: with hundreds of modules, none of which is ever garbage."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Load what stays as long as the process: garbage is not looked for meanwhile, and never among what was loaded.

    Looking took a third of the start of a process, and went on in its work: in a worker, through all of Django.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
    gc.freeze()
