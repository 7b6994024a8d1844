"""Guarded HTTP: which URLs and addresses may be called, and the one libcurl handle that enforces it."""
