"""Licences: their SPDX names, found in texts and in the heads of files."""
