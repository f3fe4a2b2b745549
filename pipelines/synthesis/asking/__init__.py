"""From passages to outcomes: each question is sent once, every answer stored as it comes."""
