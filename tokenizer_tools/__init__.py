"""What a token is: loading, fast encoding behind a parity check, training, chat rendering."""
