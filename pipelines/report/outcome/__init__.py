"""The page of `coupage outcome`: verdicts in words, and what they rest on."""
