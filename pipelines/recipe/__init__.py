"""What a recipe may say: one section a file, typed and strict; how it is loaded and checked."""
