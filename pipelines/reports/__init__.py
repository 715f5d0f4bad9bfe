"""What readers reported: structured reports to clinical variables."""
