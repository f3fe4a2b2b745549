"""Translation: what must not change is masked and compared; whether the rest is faithful."""
