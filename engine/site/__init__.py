"""YAML to Site: positions, models, checks, loading. YAML is read here and nowhere else."""
