"""Conversations rendered by their shape: once with placeholders, then all of that shape in arrays.

A *shape* is who speaks in which order. `traced_template` renders one conversation of a shape with characters
that stand for contents, and `symbolic` holds under which conditions a rendering says the same of all others;
`learnt` makes a plan of it and `rows` follows the plan for many conversations at once, with `kernels`.
"""
