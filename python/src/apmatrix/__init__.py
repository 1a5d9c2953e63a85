"""apmatrix for Python: hosts with AP adapters, for tests."""

from apmatrix.host import Host, Lacking

__all__ = ["Host", "Lacking"]
