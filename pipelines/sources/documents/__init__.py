"""Documents that are no plain text: books, papers, treebanks."""
