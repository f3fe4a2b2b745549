"""What a trained model is worth, beside its base: loss, benchmarks, language and memory for facts."""
