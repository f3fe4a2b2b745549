"""Files on other machines: opened, read on after a failure, kept for a while."""
