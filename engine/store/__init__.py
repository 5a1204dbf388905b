"""The store: messages, work, documents, lineage, control numbers. SQL lives here and nowhere else."""
