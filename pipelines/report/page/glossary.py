"""What the terms of the report's page mean; `term("epochs")` in a template opens the definition."""

from __future__ import annotations

GLOSSARY = {
    "bits per byte": "The loss per byte of text, in bits. Unlike the loss per token it can be "
    "compared between tokenizers. Less is better.",
    "bytes per token": "UTF-8 bytes of text that one token stands for on average. More is better: the "
    "same text costs fewer tokens.",
    "cluster": "Documents that are copies of one another. One of each cluster is kept.",
    "confusion matrix": "How often documents of one label were given another by the classifier, in "
    "cross-validation. What it got right stands on the diagonal.",
    "contamination": "Items of a benchmark (its questions or answers) that stand in the training "
    "data, so that the benchmark measures memory.",
    "cut": "A document longer than a row is cut into full rows and a rest. A document that fits is "
    "never cut.",
    "deviation": "After any number of rows, how far the tokens of a group are from its share of all "
    "tokens so far. It stays below one row.",
    "documents": "Records that were read and have text, before filters.",
    "dropped": "Documents that filters, deduplication, licences or benchmarks took out, each under "
    "its first reason.",
    "effective unique tokens": "What repeated tokens are worth in tokens seen once; the worth of a "
    "repetition falls with every epoch (Muennighoff et al. 2023).",
    "epochs": "How often the distinct tokens of a group occur in the mixture on average. Up to about "
    "four, repetition does nearly as much as new text.",
    "exact duplicate": "A document with the text of another, but for case and white space.",
    "F1": "The harmonic mean of precision and recall.",
    "fill": "The share of the places in rows that hold a token; the rest is padding.",
    "fingerprint": "A hash of everything that decides a stage's output: settings, inputs and versions "
    "of code.",
    "flagged": "Found and reported, but left in the data.",
    "group": "The sources, or parts of sources, that get one weight in a mixture.",
    "held out": "Documents that are kept away from training, to measure the model by.",
    "interval": "The range in which the true value lies with 95 % confidence, by drawing the "
    "documents again.",
    "kept": "Documents that passed every filter.",
    "language": "As the language detector says: an ISO 639 code; und where the detector is not sure enough.",
    "loss": "The mean negative log-likelihood of the next token, in nats. Less is better.",
    "loss tokens": "Tokens that the model learns to predict. In conversations often only the assistant's.",
    "MFU": "Model FLOPs utilisation: the share of the hardware's arithmetic that the model's own "
    "passes need at the speed reached.",
    "near duplicate": "A document that shares most of its word sequences with another, by Jaccard "
    "similarity.",
    "overlap": "Documents of one source that were dropped because another source has a copy.",
    "packing": "Putting several documents into one row of the sequence length, so that little padding "
    "is needed.",
    "percentile": "The share of documents with a lower score.",
    "precision": "Of the documents that were given a label, the share that have it.",
    "quarantine": "Records that could not be read. They lie in the run's folder, with their place and "
    "reason.",
    "quota": "What a group was to give: its share of the total, less what its supply lacks.",
    "recall": "Of the documents that have a label, the share that were given it.",
    "records": "What the files hold, one line, row or page each.",
    "row": "One sequence of the mixture, as the model sees it.",
    "rule": "A limit on one signal; a document outside of it is dropped.",
    "set aside": "Records that became no document: unreadable, empty, or emptied by edits.",
    "share": "A part of the whole in percent.",
    "signal": "A number that is measured of each document, such as its words or the share of repeated lines.",
    "similarity": "The Jaccard similarity of two documents' word sequences: 1 where they are the same.",
    "source": "One entry of the recipe under `sources`: files, a dataset or generated documents.",
    "stage": "A mixture and the training on it: Stage 1 is continued pre-training, Stage 2 tuning. "
    "Also a step of the run, such as one that reads or filters.",
    "synthetic": "Text that a language model made from another document.",
    "threshold": "The limit of a rule.",
    "token": "The unit a model reads: a word or a piece of one.",
    "verdict": "What the recipe says of a licence: allowed, denied or unknown.",
    "weight": "The number that the recipe gives a group; its share is the weight divided by the sum "
    "of weights.",
}
"""Term to definition, in alphabetical order."""
