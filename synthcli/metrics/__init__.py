"""The measures of the audit, one family a file. Each takes tables or codes and returns estimates; none prints."""
