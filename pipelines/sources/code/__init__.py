"""Source code: languages, what is written by people and what is not, repositories."""
