DOMAIN = [
    "Танины и антоцианы переходят в сусло при мацерации; малолактика смягчает кислотность.",
    "Мацерация на мезге, затем малолактика в барриках: танины становятся мягче.\n\n    pH = 3.4",
    "Malolactic fermentation softens the must; maceration extracts tannins and anthocyanins. 🍷🍷",
] * 5
FAMILIES = ("byte_level", "whole_words_first", "llama", "gemma", "unigram")
EASTERN = ("Han", "Hiragana", "Katakana", "Devanagari", "Arabic")
"""Scripts of which the small tokenizers hold tokens, and the domain nothing."""
