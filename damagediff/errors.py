"""Every failure that damagediff announces, each with its exit code.

A message is one line: what is wrong, where, how much, and what to try. Anything that is not a
`DamagediffError` is a bug and keeps its traceback.
"""


class DamagediffError(Exception):
    """Base of all announced failures; the command line prints the message and exits with `exit_code`."""

    exit_code = 1


class ClusterLost(DamagediffError):
    """The Dask cluster that worked on a run is gone; with the exit code of no fault of the inputs."""


class SettingsError(DamagediffError):
    """A setting or argument is unknown, of the wrong type or out of range."""

    exit_code = 2


class InputError(DamagediffError):
    """An input cannot be used: unreadable, unsafe, damaged, too large, empty, or without overlap."""

    exit_code = 3


class AlignmentRefused(DamagediffError):
    """The two images could not be shown to be aligned, so nothing may be said about change."""

    exit_code = 4


class EvidenceError(DamagediffError):
    """A run folder does not agree with its manifest."""

    exit_code = 5


class OutputError(DamagediffError):
    """An output cannot be written: disk full, read-only, locked, or already there."""

    exit_code = 6
