"""All that has state or speaks to a PACS."""
