"""The documents of a run in a browser: finding them a page at a time, showing them, serving the pages."""
