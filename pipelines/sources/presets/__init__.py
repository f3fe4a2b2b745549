"""Named sources: datasets of the hub with all that is known of them."""
