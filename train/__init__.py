"""The main of each method: parse, read, train, evaluate, export."""
