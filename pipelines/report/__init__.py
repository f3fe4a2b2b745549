"""What people are shown of a run: report, single documents, scores."""
