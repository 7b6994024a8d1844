"""The console: a page on the loopback address, with the operator's own AWS credentials."""
