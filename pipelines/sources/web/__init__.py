"""Web pages: WARC and HTML files, and what finds the text in them."""
