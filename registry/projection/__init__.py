"""Rows of the inventory as facts, and as RDF: reading only, one way."""
