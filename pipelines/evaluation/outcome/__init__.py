"""The measures of `coupage outcome`: what is asked of each variant, and tables of what all gave."""
