"""What is asked of archives, so that none of them takes the memory or the time of a run.

How much may come of an archive in all is `Budget` in `compressed.py`.
"""

MAX_MEMBERS = 1_000_000
"""Their names are remembered while an archive is read, to find those that come twice."""

MAX_DIRECTORY_BYTES = 100 << 20
"""Of the directory at the end of a zip file: about a million members, for which Python takes 1 GB."""

MAX_HEADER_BYTES = 1 << 20
"""Of a long name or of extended attributes in a tar file. Path names end at 4 KiB on Linux."""

MAX_NAME_CHARACTERS = 4_096
"""The longest path of Linux. A document without an id of its own has it in its `doc_id`."""

MAX_HELD_BYTES = 256 << 20
"""Of a compressed member that is not read from front to back (Parquet, Arrow): it is held in memory."""

REREAD_BYTES = 64 << 10
"""So much of a member of a compressed tar file may be read before its reading begins anew."""
