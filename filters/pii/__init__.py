"""Personal data and secrets in text: what they look like, how many there are, and masks in their place.

`masking.mask_pii` replaces them, `spans.find_spans` lists them; `scan` looks for all kinds in one pass.
"""
