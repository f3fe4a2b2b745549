"""`report.html`: its sections, its charts and the terms that it explains."""
