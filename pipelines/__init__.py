"""Images in, findings out: no PACS, no database."""
