"""Shards in the formats of other trainers: one file per format, registered in `mixers.export.formats`."""
