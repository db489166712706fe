"""The tests of the matrix, in the order of the table."""

from . import data, groups, restarts, admin, errors, tools  # noqa: F401
