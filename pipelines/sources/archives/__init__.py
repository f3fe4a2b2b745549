"""Files in zip and tar archives, read without trusting what they say."""
