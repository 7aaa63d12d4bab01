"""One file a subcommand: options, then one ordinary function that reads as the pipeline does."""
