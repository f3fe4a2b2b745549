"""The ground of all filters: compiled kernels over characters, words and lines of Arrow texts."""
